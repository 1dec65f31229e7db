/*
 * The view rules of zpinc(7), for three members and every order of events.
 *
 * A hello says everything a member knows, so the network is this: for each
 * ordered pair one hello may be under way, which a newer one may replace.
 * That loses, delays and reorders; only the newest counts, as by its number.
 * Timers may fire at any time.  Mixes are left out: they are one more round
 * of the same form as shares.  A scalar is a number that grows with every
 * publication, a key is the scalars that its maker saw, so that two keys
 * under one view would show.
 *
 * Checked in every reachable state:
 *	agreement	who is done with a view has the same key as all others
 *			who ever were done with it
 *	no repetition	nobody publishes a view id twice
 *	no ghost	whoever is in a conversation made a tag in its view
 *	no livelock	from any state, once hellos arrive and nobody comes or
 *			goes, all who live are done with the view of exactly
 *			them within ROUNDS rounds, in whatever order they speak
 */

#ifndef FAULTS
#define FAULTS 2	/* time-outs, losses of a member, crashes, rekeys */
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

/* What a hello says: whom it lists, gen, view, stage, scalar, key (tag). */
typedef hello {
	bit there;
	byte list;
	byte gen;
	int view;
	byte stage;
	byte y;
	int key;
};

hello known[9];		/* AT(i, j): what i has from j */
hello under_way[9];	/* AT(i, j): from i to j */

byte gen[3], stage[3], y[3], age[3];
int view[3], key[3];
byte published[3];	/* members of the last view since gen rose; 0 */
int last[3];		/* its id */
bit dead[3];
bit open[3];

/* For the checks. */
int done_view[3], done_key[3];
int tagged[3];
int before[9];		/* AT(i, k): ids i published, the last three */
byte faults = FAULTS;
bit stable;

/* Scratch; reset after use, so that it does not multiply states. */
byte a, b, v, c, k;
int id;

inline raise(i) {
	gen[i]++;
	published[i] = 0;
	assert(gen[i] < 15);
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
			id = id | (known[AT(i, c)].gen << (3 + 4 * c))
		:: else
		fi;
		c++
	:: else -> break
	od;
	c = 0
}

/* near: known, and lists us; of an open pair the higher one goes. */
inline choose(i) {
	a = (i + 1) % 3;
	b = (i + 2) % 3;
	v = 1 << i;
	if
	:: known[AT(i, a)].there && HAS(known[AT(i, a)].list, i) ->
		v = v | (1 << a)
	:: else
	fi;
	if
	:: known[AT(i, b)].there && HAS(known[AT(i, b)].list, i) ->
		v = v | (1 << b)
	:: else
	fi;
	open[i] = 0;
	if
	:: v == 7 && !(HAS(known[AT(i, a)].list, b) &&
	    HAS(known[AT(i, b)].list, a)) ->
		open[i] = 1;
		if
		:: a > b -> v = v & ~(1 << a)
		:: else -> v = v & ~(1 << b)
		fi
	:: else
	fi
}

inline publish(i) {
	stage[i] = SHARE;
	y[i]++;
	age[i] = 0;
	assert(before[AT(i, 0)] != view[i] && before[AT(i, 1)] != view[i] &&
	    before[AT(i, 2)] != view[i]);
	before[AT(i, 2)] = before[AT(i, 1)];
	before[AT(i, 1)] = before[AT(i, 0)];
	before[AT(i, 0)] = view[i];
	published[i] = view[i] & 7;
	last[i] = view[i]
}

#define SHOWS(i, j, s) (!HAS(view[i], j) || j == i || \
    (known[AT(i, j)].there && known[AT(i, j)].view == view[i] && \
	known[AT(i, j)].stage >= s))
#define ALL_SHOW(i, s) (SHOWS(i, 0, s) && SHOWS(i, 1, s) && SHOWS(i, 2, s))
#define ANY_SHOWS(i) \
    ((HAS(view[i], (i + 1) % 3) && SHOWS(i, (i + 1) % 3, SHARE)) || \
	(HAS(view[i], (i + 2) % 3) && SHOWS(i, (i + 2) % 3, SHARE)))

#define SCALAR(i, j) \
    (!HAS(view[i], j) -> 0 : (j == i -> y[j] : known[AT(i, j)].y))
#define SAME_KEY(i, j) \
    (!HAS(view[i], j) || j == i || known[AT(i, j)].key == key[i])

inline finish(i) {
	/* Honest tags in one view must agree. */
	assert(SAME_KEY(i, 0) && SAME_KEY(i, 1) && SAME_KEY(i, 2));
	stage[i] = DONE;
	done_view[i] = view[i];
	done_key[i] = key[i];
	k = 0;
	do
	:: k < 3 ->
		/* Agreement, and no ghosts. */
		assert(done_view[k] != view[i] || done_key[k] == key[i]);
		/* Alive and still in the view: its tag must be in it, too. */
		assert(!HAS(view[i], k) || view[k] != view[i] ||
		    tagged[k] == view[i]);
		k++
	:: else -> break
	od;
	k = 0
}

inline advance(i) {
	if
	:: view[i] != 0 && stage[i] == NOTHING && ANY_SHOWS(i) -> publish(i)
	:: else
	fi;
	if
	:: stage[i] == SHARE && ALL_SHOW(i, SHARE) ->
		key[i] = SCALAR(i, 0) | (SCALAR(i, 1) << 5) |
		    (SCALAR(i, 2) << 10);
		stage[i] = CONFIRM;
		age[i] = 0;
		tagged[i] = view[i]
	:: else
	fi;
	if
	:: stage[i] == CONFIRM && ALL_SHOW(i, CONFIRM) -> finish(i)
	:: else
	fi
}

inline update(i) {
	choose(i);
	if
	:: published[i] != 0 && (published[i] & ~v) != 0 -> raise(i)
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
		stage[i] = NOTHING;
		key[i] = 0
	:: v != 1 << i && id != view[i] ->
		view[i] = id;
		stage[i] = NOTHING;
		key[i] = 0;
		age[i] = 0
	:: else
	fi;
	advance(i);
	a = 0;
	b = 0;
	v = 0;
	id = 0
}

inline abandon(i) {
	raise(i);
	view[i] = 0;
	stage[i] = NOTHING;
	key[i] = 0;
	age[i] = 0;
	update(i)
}

inline say(i, h) {
	h.there = 1;
	h.list = (known[AT(i, 0)].there) | (known[AT(i, 1)].there << 1) |
	    (known[AT(i, 2)].there << 2);
	h.gen = gen[i];
	h.view = (stage[i] == NOTHING -> 0 : view[i]);
	h.stage = stage[i];
	h.y = (stage[i] == NOTHING -> 0 : y[i]);
	h.key = (stage[i] >= CONFIRM -> key[i] : 0)
}

inline copy(to, from) {
	to.there = from.there;
	to.list = from.list;
	to.gen = from.gen;
	to.view = from.view;
	to.stage = from.stage;
	to.y = from.y;
	to.key = from.key
}

inline clear(h) {
	h.there = 0;
	h.list = 0;
	h.gen = 0;
	h.view = 0;
	h.stage = 0;
	h.y = 0;
	h.key = 0
}

/* Anything may happen to member i and the hellos from it to j. */
inline trouble(i, j) {
	if
	:: !dead[i] -> say(i, under_way[AT(i, j)])
	:: under_way[AT(i, j)].there && !dead[j] ->
		copy(known[AT(j, i)], under_way[AT(i, j)]);
		clear(under_way[AT(i, j)]);
		update(j)
	/* The settle timer. */
	:: !dead[i] && view[i] != 0 && stage[i] == NOTHING ->
		publish(i);
		advance(i)
	/* The run timer, or a rekey. */
	:: faults > 0 && !dead[i] && stage[i] != NOTHING ->
		faults--;
		abandon(i)
	/* i no longer hears j, or holds it. */
	:: faults > 0 && !dead[i] && known[AT(i, j)].there ->
		faults--;
		known[AT(i, j)].there = 0;
		update(i)
	:: faults > 0 && i == 2 && !dead[2] -> /* it crashes */
		faults--;
		dead[2] = 1
	fi
}

/* i's turn in a round: its timers, then a hello that all receive. */
inline turn(i) {
	if
	:: dead[i]
	:: else ->
		age[i]++;
		update(i);
		if
		:: view[i] != 0 && stage[i] == NOTHING &&
		    (!open[i] || age[i] > 2) ->
			publish(i);
			advance(i)
		:: (stage[i] == SHARE || stage[i] == CONFIRM) &&
		    age[i] > PATIENCE ->
			abandon(i)
		:: else
		fi;
		hear(i, (i + 1) % 3);
		hear(i, (i + 2) % 3)
	fi
}

inline hear(i, j) {
	if
	:: !dead[j] ->
		say(i, known[AT(j, i)]);
		update(j)
	:: else
	fi
}

#define LIVE (dead[2] -> 3 : 7)
#define SETTLED(i) (dead[i] || \
    (stage[i] == DONE && (view[i] & 7) == LIVE && view[i] == view[0]))

inline forget_dead() {
	if
	:: dead[2] ->
		known[AT(0, 2)].there = 0;
		known[AT(1, 2)].there = 0
	:: else
	fi;
	/* What is under way when all becomes well arrives or is lost; only
	 * the newest counts, and newer ones follow. */
	byte n = 0;
	do
	:: n < 9 ->
		clear(under_way[n]);
		n++
	:: else -> break
	od;
	n = 0;
	age[0] = 0;
	age[1] = 0;
	age[2] = 0
}

init {
	byte round = 0;

#ifdef TWO
	dead[2] = 1;	/* as if it had never been there */
#endif
	do
	:: atomic { trouble(0, 1) }
	:: atomic { trouble(0, 2) }
	:: atomic { trouble(1, 0) }
	:: atomic { trouble(1, 2) }
	:: atomic { trouble(2, 0) }
	:: atomic { trouble(2, 1) }
	:: d_step { stable = 1; forget_dead() } -> break
	od;
	do
	:: round < ROUNDS ->
		if
		:: d_step { turn(0); turn(1); turn(2) }
		:: d_step { turn(1); turn(2); turn(0) }
		:: d_step { turn(2); turn(1); turn(0) }
		:: d_step { turn(0); turn(2); turn(1) }
		fi;
		round++
	:: else -> break
	od;
	assert(SETTLED(0) && SETTLED(1) && SETTLED(2))
}
