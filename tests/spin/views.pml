/*
 * The view rules of zpinc(7), for two or three members and every order of
 * events.
 *
 * A hello says everything a member knows, and members say it whenever they
 * like.  All others hear it at once, or nobody does, which is as if it had
 * not been said.  What else may happen to it is a trouble: one hears it and
 * the other does not; or one of them, or both, hear it later, if they have
 * heard nothing newer by then.  That loses, delays and reorders.  Other
 * troubles are a run that times out, a rekey, a member that another no longer
 * hears or holds, and a crash.  A history has TROUBLES of them at most, at any
 * place.  Timers may fire at any time.  Mixes are left out: they are one more
 * round of the same form as shares.
 *
 * Checked in every reachable state:
 *	no repetition	a member that publishes has raised its generation since
 *			it published last, or publishes a view with more members
 *			or later generations, and nobody less: so no view id
 *			comes twice
 *	agreement	with KEYS: a scalar is a number that grows with every
 *			publication, a key is the scalars that its maker saw;
 *			who is done with a view has the key of all others who
 *			ever were done with it.  Without KEYS: since no member
 *			publishes a view twice, each has one scalar in a view,
 *			and so a view has one key.
 *	no ghost	with KEYS: whoever is in a conversation made a tag in
 *			its view
 *	no livelock	from any state, once all hear all at once and nobody
 *			comes or goes, all who live are done with the view of
 *			exactly them within ROUNDS rounds, in whatever order
 *			they speak, and stay so
 */

#ifndef TROUBLES
#define TROUBLES 2
#endif
#ifndef ROUNDS
#define ROUNDS 14
#endif
#define PATIENCE 5	/* rounds that a run may take: T_RUN */

#define NOTHING 0
#define SHARE 1
#define CONFIRM 2
#define DONE 3

#define AT(i, j) ((i) * 3 + (j))
#define HAS(set, i) (((set) >> (i)) & 1)

/* A view id: its members, and 4 bits of generation of each. */
#define WHO(id) ((id) & 7)
#define GEN_IN(id, i) (((id) >> (3 + 4 * (i))) & 15)

/* What a hello says: whom it lists, gen, stage and view; 0 is none at all. */
#define HELLO(list, gen, stage, view) \
    (1 | ((list) << 1) | ((gen) << 4) | ((stage) << 8) | ((view) << 10))
#define LIST(h) (((h) >> 1) & 7)
#define GEN(h) (((h) >> 4) & 15)
#define STAGE(h) (((h) >> 8) & 3)
#define VIEW(h) ((h) >> 10)

int known[9];		/* AT(i, j): what i has from j */
int under_way[9];	/* AT(i, j): from i to j */
byte slow;		/* how many are */

byte gen[3], stage[3];
int view[3];
bit fresh[3];		/* gen rose since the last publication, or none was */
int last[3];		/* the last view that was published */
bit dead[3];
byte troubles = TROUBLES;

#ifdef KEYS
byte y[3];
int key[3];
int known_key[9];	/* scalar, and key once there is a tag */
int slow_key[9];
int done_view[3], done_key[3];
int tagged[3];
#define SCALAR_OF(k) ((k) & 31)
#define TAG_OF(k) ((k) >> 5)
#define SAYS(i) \
    ((stage[i] == NOTHING -> 0 : y[i]) | \
	(stage[i] >= CONFIRM -> key[i] << 5 : 0))
#define SCALAR(i, j) \
    (!HAS(view[i], j) -> 0 : \
	(j == i -> y[j] : SCALAR_OF(known_key[AT(i, j)])))
#define SAME_KEY(i, j) \
    (!HAS(view[i], j) || j == i || TAG_OF(known_key[AT(i, j)]) == key[i])
#endif

/* Scratch; 0 after each step, so that it does not multiply states. */
byte a, b, v, c, hit, m, n;
int id;
bit split, was;

#define CLEAN \
	a = 0; b = 0; v = 0; c = 0; hit = 0; m = 0; n = 0; id = 0; split = 0; \
	was = 0
#define NEXT(i) (((i) + 1) % 3)
#define AFTER(i) (((i) + 2) % 3)

/* Of the rounds at the end; 0 before. */
byte age[3], round;

inline raise(i) {
	gen[i]++;
	fresh[i] = 1;
	assert(gen[i] < 15)
}

/* The view id hashes members and their generations. */
inline name(i) {
	id = v;
	c = 0;
	do
	:: c < 3 ->
		if
		:: HAS(v, c) && c == i -> id = id | (gen[c] << (3 + 4 * c))
		:: HAS(v, c) && c != i ->
			id = id | (GEN(known[AT(i, c)]) << (3 + 4 * c))
		:: else
		fi;
		c++
	:: else -> break
	od
}

/* near: known, and lists us; of an open pair the higher one goes. */
inline choose(i) {
	a = NEXT(i);
	b = AFTER(i);
	v = 1 << i;
	if
	:: HAS(LIST(known[AT(i, a)]), i) -> v = v | (1 << a)
	:: else
	fi;
	if
	:: HAS(LIST(known[AT(i, b)]), i) -> v = v | (1 << b)
	:: else
	fi;
	split = 0;
	if
	:: v == 7 && !(HAS(LIST(known[AT(i, a)]), b) &&
	    HAS(LIST(known[AT(i, b)]), a)) ->
		split = 1;
		if
		:: a > b -> v = v & ~(1 << a)
		:: else -> v = v & ~(1 << b)
		fi
	:: else
	fi
}

#define NOT_LESS(i, k) \
    (!HAS(last[i], k) || (HAS(view[i], k) && \
	GEN_IN(view[i], k) >= GEN_IN(last[i], k)))
#define NEW(i) \
    (last[i] == 0 || GEN_IN(view[i], i) > GEN_IN(last[i], i) || \
	(view[i] != last[i] && NOT_LESS(i, 0) && NOT_LESS(i, 1) && \
	    NOT_LESS(i, 2)))

inline publish(i) {
	stage[i] = SHARE;
	age[i] = 0;
	assert(NEW(i));
	last[i] = view[i];
	fresh[i] = 0;
#ifdef KEYS
	y[i]++
#endif
}

#define SHOWS(i, j, s) (!HAS(view[i], j) || j == i || \
    (VIEW(known[AT(i, j)]) == view[i] && STAGE(known[AT(i, j)]) >= s))
#define ALL_SHOW(i, s) (SHOWS(i, 0, s) && SHOWS(i, 1, s) && SHOWS(i, 2, s))
#define ANY_SHOWS(i) \
    ((HAS(view[i], NEXT(i)) && SHOWS(i, NEXT(i), SHARE)) || \
	(HAS(view[i], AFTER(i)) && SHOWS(i, AFTER(i), SHARE)))

inline confirm(i) {
	stage[i] = CONFIRM;
	age[i] = 0;
#ifdef KEYS
	key[i] = SCALAR(i, 0) | (SCALAR(i, 1) << 5) | (SCALAR(i, 2) << 10);
	tagged[i] = view[i]
#endif
}

inline finish(i) {
	stage[i] = DONE;
#ifdef KEYS
	/* Honest tags in one view must agree. */
	assert(SAME_KEY(i, 0) && SAME_KEY(i, 1) && SAME_KEY(i, 2));
	done_view[i] = view[i];
	done_key[i] = key[i];
	c = 0;
	do
	:: c < 3 ->
		/* Agreement, and no ghosts. */
		assert(done_view[c] != view[i] || done_key[c] == key[i]);
		/* Alive and still in the view: its tag must be in it, too. */
		assert(!HAS(view[i], c) || view[c] != view[i] ||
		    tagged[c] == view[i]);
		c++
	:: else -> break
	od
#endif
}

inline advance(i) {
	if
	:: view[i] != 0 && stage[i] == NOTHING && ANY_SHOWS(i) -> publish(i)
	:: else
	fi;
	if
	:: stage[i] == SHARE && ALL_SHOW(i, SHARE) -> confirm(i)
	:: else
	fi;
	if
	:: stage[i] == CONFIRM && ALL_SHOW(i, CONFIRM) -> finish(i)
	:: else
	fi
}

inline forget_run(i) {
	stage[i] = NOTHING;
	age[i] = 0;
#ifdef KEYS
	key[i] = 0
#endif
}

inline update(i) {
	choose(i);
	if
	:: !fresh[i] && (WHO(last[i]) & ~v) != 0 -> raise(i)
	:: else
	fi;
	name(i);
	if
	:: id == last[i] && id != view[i] ->
		raise(i);
		name(i)
	:: else
	fi;
	if
	:: v == 1 << i ->
		view[i] = 0;
		forget_run(i)
	:: v != 1 << i && id != view[i] ->
		view[i] = id;
		forget_run(i)
	:: else
	fi;
	advance(i)
}

inline abandon(i) {
	raise(i);
	view[i] = 0;
	forget_run(i);
	hit = hit | (1 << i)
}

/* All to whom something has happened. */
inline update_hit() {
	n = 0;
	do
	:: n < 3 && HAS(hit, n) -> update(n); n++
	:: n < 3 && !HAS(hit, n) -> n++
	:: else -> break
	od;
	hit = 0
}

#define SAID(i) \
    HELLO((known[AT(i, 0)] & 1) | ((known[AT(i, 1)] & 1) << 1) | \
	((known[AT(i, 2)] & 1) << 2), gen[i], stage[i], \
	(stage[i] == NOTHING -> 0 : view[i]))

inline void_slow(i, j) {
	if
	:: under_way[AT(i, j)] != 0 ->
		under_way[AT(i, j)] = 0;
#ifdef KEYS
		slow_key[AT(i, j)] = 0;
#endif
		slow--
	:: else
	fi
}

/* What i says reaches j at once. */
inline hear(i, j) {
	if
	:: !dead[j] ->
		known[AT(j, i)] = SAID(i);
#ifdef KEYS
		known_key[AT(j, i)] = SAYS(i);
#endif
		void_slow(i, j);
		hit = hit | (1 << (j))
	:: else
	fi
}

/* It comes later, if nothing newer comes before. */
inline delay(i, j) {
	void_slow(i, j);
	under_way[AT(i, j)] = SAID(i);
#ifdef KEYS
	slow_key[AT(i, j)] = SAYS(i);
#endif
	slow++
}

inline arrive(i, j) {
	known[AT(j, i)] = under_way[AT(i, j)];
#ifdef KEYS
	known_key[AT(j, i)] = slow_key[AT(i, j)];
#endif
	void_slow(i, j);
	hit = hit | (1 << (j))
}

inline forget(i, j) {
	known[AT(i, j)] = 0;
#ifdef KEYS
	known_key[AT(i, j)] = 0;
#endif
	hit = hit | (1 << (i))
}

#define NEWS(i, j) (!dead[i] && !dead[j] && known[AT(j, i)] != SAID(i))

/* Anything that may happen to member i or to what it says. */
inline event(i) {
	if
	:: NEWS(i, NEXT(i)) || NEWS(i, AFTER(i)) ->
		hear(i, NEXT(i));
		hear(i, AFTER(i))
	/* Only one hears it, the other never or later. */
	:: troubles > 0 && NEWS(i, NEXT(i)) && NEWS(i, AFTER(i)) ->
		troubles--;
		hear(i, NEXT(i))
	:: troubles > 0 && NEWS(i, NEXT(i)) && NEWS(i, AFTER(i)) ->
		troubles--;
		hear(i, AFTER(i))
	:: troubles > 0 && NEWS(i, AFTER(i)) ->
		troubles--;
		delay(i, AFTER(i));
		hear(i, NEXT(i))
	:: troubles > 0 && NEWS(i, NEXT(i)) ->
		troubles--;
		delay(i, NEXT(i));
		hear(i, AFTER(i))
	:: troubles > 1 && NEWS(i, NEXT(i)) && NEWS(i, AFTER(i)) ->
		troubles = troubles - 2;
		delay(i, NEXT(i));
		delay(i, AFTER(i))
	/* What was slow comes. */
	:: under_way[AT(i, NEXT(i))] != 0 && !dead[NEXT(i)] ->
		arrive(i, NEXT(i))
	:: under_way[AT(i, AFTER(i))] != 0 && !dead[AFTER(i)] ->
		arrive(i, AFTER(i))
	/* The settle timer. */
	:: !dead[i] && view[i] != 0 && stage[i] == NOTHING ->
		publish(i);
		hit = hit | (1 << i)
	/* The run timer, or a rekey. */
	:: troubles > 0 && !dead[i] && stage[i] != NOTHING ->
		troubles--;
		abandon(i)
	/* i no longer hears another, or holds it. */
	:: troubles > 0 && !dead[i] && known[AT(i, NEXT(i))] != 0 ->
		troubles--;
		forget(i, NEXT(i))
	:: troubles > 0 && !dead[i] && known[AT(i, AFTER(i))] != 0 ->
		troubles--;
		forget(i, AFTER(i))
	:: troubles > 0 && i == 2 && !dead[2] -> /* it crashes */
		troubles--;
		dead[2] = 1
	:: else
	fi;
	update_hit();
	CLEAN
}

/* i's turn in a round: its timers, then a hello that all receive. */
inline turn(i) {
	if
	:: dead[i]
	:: else ->
		age[i]++;
		hit = 1 << i;
		update_hit();
		if
		:: view[i] != 0 && stage[i] == NOTHING &&
		    (!split || age[i] > 2) ->
			publish(i);
			hit = 1 << i
		:: (stage[i] == SHARE || stage[i] == CONFIRM) &&
		    age[i] > PATIENCE ->
			abandon(i)
		:: else
		fi;
		update_hit();
		hear(i, NEXT(i));
		hear(i, AFTER(i));
		update_hit()
	fi
}

#define LIVE (dead[2] -> 3 : 7)
#define SETTLED(i) (dead[i] || \
    (stage[i] == DONE && WHO(view[i]) == LIVE && view[i] == view[0]))

/*
 * All becomes well: who is dead is forgotten, and what is under way arrives or
 * is lost; only the newest counts, and newer ones follow.
 */
inline stabilize() {
	if
	:: dead[2] ->
		known[AT(0, 2)] = 0;
		known[AT(1, 2)] = 0
	:: else
	fi;
	troubles = 0;
	slow = 0;
	c = 0;
	do
	:: c < 9 ->
		under_way[c] = 0;
#ifdef KEYS
		slow_key[c] = 0;
#endif
		c++
	:: else -> break
	od;
	c = 0
}

#define ALL_SETTLED (SETTLED(0) && SETTLED(1) && SETTLED(2))

/* A round: i speaks, then j, then k.  Who is in agreement stays so. */
inline one_round(i, j, k) {
	assert(round < ROUNDS);
	was = ALL_SETTLED;
	round++;
	m = i;
	turn(m);
	m = j;
	turn(m);
	m = k;
	turn(m);
	assert(!was || ALL_SETTLED);
	CLEAN
}

/* Resets everything, so that the end is one state. */
inline finis() {
	c = 0;
	do
	:: c < 9 ->
		known[c] = 0;
#ifdef KEYS
		known_key[c] = 0;
#endif
		c++
	:: else -> break
	od;
	c = 0;
	do
	:: c < 3 ->
		gen[c] = 0; stage[c] = 0; view[c] = 0; fresh[c] = 0;
		last[c] = 0; age[c] = 0; dead[c] = 0;
#ifdef KEYS
		y[c] = 0; key[c] = 0; done_view[c] = 0; done_key[c] = 0;
		tagged[c] = 0;
#endif
		c++
	:: else -> break
	od;
	c = 0;
	round = 0
}

init {
	d_step {
		fresh[0] = 1;
		fresh[1] = 1;
		fresh[2] = 1;
#ifdef TWO
		dead[2] = 1	/* as if it had never been there */
#endif
	}
	do
	:: atomic { m = 0; event(m) }
	:: atomic { m = 1; event(m) }
	:: atomic { m = 2; event(m) }
	:: d_step { stabilize() } -> break
	od;
	do
	:: d_step { ALL_SETTLED -> one_round(0, 1, 2); finis() } -> break
	:: d_step { !ALL_SETTLED -> one_round(0, 1, 2) }
	:: d_step { !ALL_SETTLED -> one_round(1, 2, 0) }
	:: d_step { !ALL_SETTLED -> one_round(2, 1, 0) }
	:: d_step { !ALL_SETTLED -> one_round(0, 2, 1) }
	od
}
