#include <errno.h>
#include <fcntl.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/zp_echo.h"
#include "net/zp_scan.h"
#include "net/zp_tls.h"
#include "net/zp_transport.h"

/*
 * An MQTT broker as a relay, zpinc-mqtt(1).
 *
 * libmosquitto queues the acknowledgement of a message before it hands the
 * message over.  But it is told that there are threads, so that it writes
 * nothing by itself, and it is not let write before stdout has taken what was
 * received: then nothing is acknowledged that could be lost with us.
 */

#define PORT 1883
#define PORT_TLS 8883

/* How long a broker is to keep a session, s: --state, and over a lost link. */
#define SESSION_STATE 604800u
#define SESSION_RUN 600u

/* Messages in flight, unless the broker wants fewer. */
#define WINDOW 100u
#define RECEIVE_WINDOW 1000

/*
 * Own records that may be under way to ourselves: brokers queue a number
 * of messages for each session (mosquitto: 1,000), of all who publish, and
 * silently drop the others.
 */
#define ECHOES 64

/* Longer messages hold no record, so a broker need not send them. */
#define PACKET_MAX (2u << 20)

/* Packets read before output has its turn. */
#define PACKETS 256

/* Time to connect and be let in, ms. */
#define PATIENCE 10000

/* The broker's keepalive is looked after so often, ms. */
#define LOOK 5000

/*
 * #live is due when nothing has come for so long, ms, though the probe has
 * not come back: it was let in, or refused.
 */
#define QUIET_TAKEN 5000
#define QUIET_REFUSED 1000

/* Of the probe: brokers drop it from the queues of who is away, s. */
#define PROBE_LIFE 60u

#define ID_LEN 22 /* any broker must take 23 characters */
#define PROBE_LEN 35
#define STATE_MAX 16384

enum state { OFF, DIALLING, SHAKING, WAITING, UP };

struct mqtt {
	struct zp_transport *t;
	struct mosquitto *mosq;
	struct zp_tls *tls;
	struct zp_tls_files files;
	struct addrinfo *found, *next;
	int version; /* MQTT_PROTOCOL_V5 or V311 */

	const char *state_path; /* NULL: none */
	int state_fd; /* held locked */
	char id[ID_LEN + 1];
	bool known; /* the broker should have a session of this id */

	enum state state;
	bool lost; /* the link ended, not we */
	int dialled; /* errno when it was begun */
	bool let_in; /* once at least */
	int64_t heard_at, asked_at;
	bool asked;
	uint64_t heard; /* how often */
	char refusal[160]; /* of a CONNACK or SUBACK, "" if there was none */
	bool hopeless;
	bool other_version; /* the broker wants the one before */

	struct zp_item *by_mid[65536];
	unsigned in_flight, window;
	bool full; /* wait until there is room for several */
	struct zp_echo echo;
	char *topic; /* of the record sent last */
	bool unshown; /* acknowledgements wait for stdout */

	char probe[PROBE_LEN + 1];
	int probe_mid, topic_mid, live_mid;
	bool live_told;
	int64_t live_at; /* at the latest; INT64_MAX: not yet */
};

static const struct zp_transport_args *
args_of(const struct mqtt *m)
{
	return zp_transport_args(m->t);
}

static bool
subscribes(const struct mqtt *m)
{
	return args_of(m)->topic != NULL;
}

static bool
has_live(const struct mqtt *m)
{
	const struct zp_transport_args *args = args_of(m);

	return args->live != NULL && !args->once &&
	    strcmp(args->live, args->topic) != 0;
}

static void
no_memory(struct mqtt *m)
{
	zp_transport_fail(
	    m->t, ZP_ERR_MEMORY, "%s", zp_err_text(ZP_ERR_MEMORY));
}

/* ---- start ---- */

enum { ID_STATE = 1 };

static const struct zp_opt options[] = {
    {ID_STATE, 's', "state", "FILE", "keep a session while not running"},
    ZP_TLS_OPTIONS,
};

static bool
take_option(void *self, int id, const char *arg)
{
	struct mqtt *m = self;

	switch (id) {
	case ID_STATE:
		m->state_path = arg;
		break;
	default:
		zp_tls_take(&m->files, id, arg);
		break;
	}
	return true;
}

/* n bytes of randomness as hexadecimal. */
static bool
random_text(char *to, size_t n)
{
	unsigned char raw[16];

	if (getentropy(raw, n) != 0)
		return false;
	for (size_t i = 0; i < n; i++)
		snprintf(to + 2 * i, 3, "%02x", raw[i]);
	return true;
}

static bool
new_id(struct mqtt *m)
{
	memcpy(m->id, "zpinc-", 6);
	return random_text(m->id + 6, (ID_LEN - 6) / 2);
}

/* What a state file says: an id, and what its session is subscribed to. */
static int
state_text(const struct mqtt *m, char *to, size_t cap)
{
	const struct zp_transport_args *args = args_of(m);

	return snprintf(to, cap, "zpinc-mqtt 1\n%s\n%s\n%s\n", m->id,
	    args->topic, args->live != NULL ? args->live : "-");
}

/* Takes the id of a file that is for these topics; false: it is not. */
static bool
take_id(struct mqtt *m, const char *text)
{
	static const char head[] = "zpinc-mqtt 1\n";
	char expected[STATE_MAX];

	if (strncmp(text, head, sizeof(head) - 1) != 0 ||
	    strlen(text) < sizeof(head) - 1 + ID_LEN)
		return false;
	memcpy(m->id, text + sizeof(head) - 1, ID_LEN);
	m->id[ID_LEN] = '\0';
	state_text(m, expected, sizeof(expected));
	return strcmp(text, expected) == 0;
}

static enum zp_err
write_state(struct mqtt *m)
{
	char text[STATE_MAX];
	int n = state_text(m, text, sizeof(text));

	if (ftruncate(m->state_fd, 0) != 0 ||
	    pwrite(m->state_fd, text, (size_t)n, 0) != n ||
	    fsync(m->state_fd) != 0)
		return ZP_ERR_IO;
	return ZP_OK;
}

/* Opens the state file, and holds it: two of one id end each other's link. */
static enum zp_err
open_state(struct mqtt *m)
{
	char text[STATE_MAX] = "";
	ssize_t n;

	m->state_fd =
	    open(m->state_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
	if (m->state_fd < 0)
		return ZP_ERR_IO;
	if (flock(m->state_fd, LOCK_EX | LOCK_NB) != 0)
		return errno == EWOULDBLOCK ? ZP_ERR_LOCKED : ZP_ERR_IO;
	n = pread(m->state_fd, text, sizeof(text) - 1, 0);
	if (n < 0)
		return ZP_ERR_IO;
	text[n] = '\0';
	if (n > 0 && strncmp(text, "zpinc-mqtt ", 11) != 0)
		return ZP_ERR_FORMAT; /* it is something else of the user's */
	m->known = take_id(m, text);
	if (m->known)
		return ZP_OK;
	if (!new_id(m))
		return ZP_ERR_IO;
	return write_state(m);
}

static enum zp_err
take_tls(struct mqtt *m, const struct zp_url *url)
{
	char why[ZP_TLS_WHY];
	enum zp_err err = zp_tls_new(
	    &m->tls, &m->files, url->scheme, "mqtts", url->host, why);

	if (err)
		zp_transport_warn(m->t, "%s", why);
	return err;
}

/* What of a URL would be of no effect here is a mistake. */
static enum zp_err
look_at_url(struct mqtt *m, const struct zp_url *url)
{
	const char *wrong = NULL;

	if (url->host == NULL || url->host[0] == '\0')
		wrong = "the URL names no host";
	else if (url->path[0] != '\0' && strcmp(url->path, "/") != 0)
		wrong = "the URL has a path, and MQTT knows none";
	else if (url->password != NULL &&
	    (url->user == NULL || url->user[0] == '\0'))
		wrong = "the URL has a password and no user";
	if (wrong == NULL)
		return ZP_OK;
	zp_transport_warn(m->t, "%s", wrong);
	return ZP_ERR_USAGE;
}

static enum zp_err
start(void *self, struct zp_transport *t)
{
	struct mqtt *m = self;
	const struct zp_transport_args *args = zp_transport_args(t);
	enum zp_err err;
	char buf[ZP_SAY_NAME];

	m->t = t;
	m->version = MQTT_PROTOCOL_V5;
	zp_echo_init(&m->echo, ECHOES);
	mosquitto_lib_init();
	err = look_at_url(m, args->url);
	if (err)
		return err;
	if (args->cursor != NULL)
		zp_transport_warn(t, "MQTT knows no cursor; --state resumes");
	if (m->state_path != NULL && subscribes(m)) {
		err = open_state(m);
		if (err)
			zp_transport_warn(
			    t, "%s: %s", m->state_path, zp_say_err(buf, err));
	} else if (!new_id(m)) {
		zp_transport_warn(t, "no random numbers");
		err = ZP_ERR_IO;
	}
	return err ? err : take_tls(m, args->url);
}

static void
stop(void *self)
{
	struct mqtt *m = self;

	if (m->found != NULL)
		freeaddrinfo(m->found);
	if (m->state_fd >= 0)
		close(m->state_fd);
	free(m->topic);
	zp_tls_free(m->tls);
	mosquitto_lib_cleanup();
}

/* ---- the link ---- */

static void
close_link(struct mqtt *m)
{
	if (m->mosq != NULL)
		mosquitto_destroy(m->mosq);
	m->mosq = NULL;
	m->state = OFF;
	m->asked = m->unshown = false;
	m->refusal[0] = '\0';
}

static void
down(struct mqtt *m, const char *why)
{
	size_t n = strlen(why);

	/* libmosquitto ends its sentences, and more is said behind them. */
	if (n > 0 && why[n - 1] == '.')
		n--;
	m->lost = true;
	zp_transport_down(m->t, "%.*s", (int)n, why);
}

/*
 * What the user must mend; but if it has worked before, somebody is perhaps
 * about to.
 */
static void
refused(struct mqtt *m, const char *why)
{
	m->lost = true;
	if (m->let_in)
		zp_transport_down(m->t, "%s", why);
	else
		zp_transport_fail(m->t, ZP_ERR_RELAY, "%s", why);
}

static void
on_connect(struct mosquitto *mosq, void *arg, int reason, int flags,
    const mosquitto_property *props);
static void
on_subscribe(struct mosquitto *mosq, void *arg, int mid, int n,
    const int *granted, const mosquitto_property *props);
static void
on_unsubscribe(struct mosquitto *mosq, void *arg, int mid,
    const mosquitto_property *props);
static void
on_publish(struct mosquitto *mosq, void *arg, int mid, int reason,
    const mosquitto_property *props);
static void
on_message(struct mosquitto *mosq, void *arg,
    const struct mosquitto_message *message, const mosquitto_property *props);

/*
 * Options of CONNECT.  libmosquitto takes them only with a connect that
 * blocks, but keeps them for later ones; so it is given no host at first.
 */
static bool
set_properties(struct mqtt *m)
{
	mosquitto_property *props = NULL;
	uint32_t session = 0;
	bool ok;

	if (m->version != MQTT_PROTOCOL_V5)
		return true;
	if (subscribes(m))
		session = m->state_path != NULL ? SESSION_STATE : SESSION_RUN;
	ok = mosquitto_property_add_int32(&props,
		 MQTT_PROP_SESSION_EXPIRY_INTERVAL,
		 session) == MOSQ_ERR_SUCCESS &&
	    mosquitto_property_add_int32(&props, MQTT_PROP_MAXIMUM_PACKET_SIZE,
		PACKET_MAX) == MOSQ_ERR_SUCCESS;
	if (ok)
		(void)mosquitto_connect_bind_v5(
		    m->mosq, NULL, 0, 0, NULL, props);
	mosquitto_property_free_all(&props);
	return ok;
}

/*
 * A random id has nothing to clean, and mosquitto keeps no session on disk
 * that began clean; but before version 5 it would have no end.
 */
static bool
keeps_session(const struct mqtt *m)
{
	return subscribes(m) &&
	    (m->state_path != NULL || m->version == MQTT_PROTOCOL_V5);
}

/* A client, not yet connected. */
static bool
make_client(struct mqtt *m)
{
	const struct zp_url *url = args_of(m)->url;
	struct mosquitto *mosq = mosquitto_new(m->id, !keeps_session(m), m);

	m->mosq = mosq;
	if (mosq == NULL)
		return false;
	mosquitto_threaded_set(mosq, true);
	mosquitto_int_option(mosq, MOSQ_OPT_PROTOCOL_VERSION, m->version);
	mosquitto_int_option(mosq, MOSQ_OPT_TCP_NODELAY, 1);
	mosquitto_int_option(mosq, MOSQ_OPT_SEND_MAXIMUM, WINDOW);
	mosquitto_int_option(mosq, MOSQ_OPT_RECEIVE_MAXIMUM, RECEIVE_WINDOW);
	mosquitto_connect_v5_callback_set(mosq, on_connect);
	mosquitto_subscribe_v5_callback_set(mosq, on_subscribe);
	mosquitto_unsubscribe_v5_callback_set(mosq, on_unsubscribe);
	mosquitto_publish_v5_callback_set(mosq, on_publish);
	mosquitto_message_v5_callback_set(mosq, on_message);
	if (url->user != NULL && url->user[0] != '\0' &&
	    mosquitto_username_pw_set(mosq, url->user, url->password) !=
		MOSQ_ERR_SUCCESS)
		return false;
	/* Our own settings, and not libmosquitto's on top of them. */
	if (m->tls != NULL &&
	    (mosquitto_void_option(mosq, MOSQ_OPT_SSL_CTX,
		 zp_tls_context(m->tls)) != MOSQ_ERR_SUCCESS ||
		mosquitto_int_option(mosq, MOSQ_OPT_SSL_CTX_WITH_DEFAULTS, 0) !=
		    MOSQ_ERR_SUCCESS))
		return false;
	return set_properties(m);
}

static void
tell_error(struct mqtt *m, int rc, int why)
{
	char text[ZP_TLS_WHY];

	if (m->tls != NULL && zp_tls_refused(m->tls)) {
		zp_tls_why(m->tls, text);
		refused(m, text);
	} else if (m->tls != NULL &&
	    (rc == MOSQ_ERR_TLS || rc == MOSQ_ERR_TLS_HANDSHAKE)) {
		zp_tls_why(m->tls, text);
		down(m, text);
	} else if (rc == MOSQ_ERR_ERRNO && why != 0) {
		down(m, strerror(why));
	} else {
		down(m, mosquitto_strerror(rc));
	}
}

/* Begins to connect to an address; false: it has failed, rc and errno tell. */
static bool
dial(struct mqtt *m, const struct addrinfo *a, int *rc)
{
	const struct zp_url *url = args_of(m)->url;
	int port = url->port != 0 ? url->port : m->tls ? PORT_TLS : PORT;
	int keepalive = 2 * (int)args_of(m)->keepalive;
	char host[NI_MAXHOST];

	close_link(m);
	if (!make_client(m)) {
		*rc = MOSQ_ERR_NOMEM;
		return false;
	}
	/* Not by name, since libmosquitto would try its first address only. */
	if (getnameinfo(a->ai_addr, a->ai_addrlen, host, sizeof(host), NULL, 0,
		NI_NUMERICHOST) != 0)
		snprintf(host, sizeof(host), "%s", url->host);
	m->state = DIALLING;
	m->heard_at = zp_transport_now(m->t);
	errno = 0;
	*rc = mosquitto_connect_async(
	    m->mosq, host, port, keepalive < 10 ? 10 : keepalive);
	m->dialled = errno;
	return *rc == MOSQ_ERR_SUCCESS;
}

/* Tries addresses until one is on its way, or none is left. */
static void
dial_next(struct mqtt *m, int rc, int why)
{
	while (m->next != NULL) {
		const struct addrinfo *a = m->next;
		m->next = a->ai_next;
		if (dial(m, a, &rc))
			return;
		why = errno;
	}
	tell_error(m, rc, why);
}

static void
connect_broker(void *self)
{
	struct mqtt *m = self;
	struct addrinfo hints = {
	    .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
	int err;

	m->lost = m->hopeless = m->other_version = m->live_told = false;
	m->topic_mid = m->live_mid = m->probe_mid = 0;
	m->live_at = INT64_MAX;
	if (m->found != NULL)
		freeaddrinfo(m->found);
	m->found = m->next = NULL;
	err = getaddrinfo(args_of(m)->url->host, NULL, &hints, &m->found);
	if (err != 0) {
		m->found = NULL;
		down(
		    m, err == EAI_SYSTEM ? strerror(errno) : gai_strerror(err));
		return;
	}
	m->next = m->found;
	dial_next(m, MOSQ_ERR_NO_CONN, 0);
}

/* Good bye; a session that is for this run only ends with it. */
static void
take_leave(struct mqtt *m)
{
	mosquitto_property *props = NULL;

	if (m->version == MQTT_PROTOCOL_V5 && m->state_path == NULL)
		(void)mosquitto_property_add_int32(
		    &props, MQTT_PROP_SESSION_EXPIRY_INTERVAL, 0);
	(void)mosquitto_disconnect_v5(m->mosq, 0, props);
	(void)mosquitto_loop_write(m->mosq, 1);
	mosquitto_property_free_all(&props);
}

static void
forget_items(struct mqtt *m)
{
	memset(m->by_mid, 0, sizeof(m->by_mid));
	m->in_flight = 0;
	zp_echo_reset(&m->echo);
}

static void
disconnect(void *self)
{
	struct mqtt *m = self;

	/* What was not shown stays with the broker, by a link that breaks. */
	if (m->state == UP && !m->lost &&
	    (!m->unshown || zp_transport_written(m->t)))
		take_leave(m);
	close_link(m);
	forget_items(m);
}

/* ---- what the broker says ---- */

static void
hear(struct mqtt *m)
{
	m->heard++;
	m->heard_at = zp_transport_now(m->t);
	m->asked = false;
}

static void
note_refusal(struct mqtt *m, const char *what, int reason)
{
	snprintf(m->refusal, sizeof(m->refusal), "%s: %s", what,
	    m->version == MQTT_PROTOCOL_V5 ? mosquitto_reason_string(reason)
					   : mosquitto_connack_string(reason));
}

/* Of a CONNACK; some are a matter of time. */
static bool
is_hopeless(int reason)
{
	switch (reason) {
	case CONNACK_REFUSED_BAD_USERNAME_PASSWORD:
	case CONNACK_REFUSED_NOT_AUTHORIZED:
	case MQTT_RC_CLIENTID_NOT_VALID:
	case MQTT_RC_BAD_USERNAME_OR_PASSWORD:
	case MQTT_RC_NOT_AUTHORIZED:
	case MQTT_RC_BANNED:
	case MQTT_RC_BAD_AUTHENTICATION_METHOD:
		return true;
	default:
		return false;
	}
}

static bool
subscribe(struct mqtt *m, int *mid, const char *topic, int qos, int v5_options)
{
	int rc = mosquitto_subscribe_v5(m->mosq, mid, topic, qos,
	    m->version == MQTT_PROTOCOL_V5 ? v5_options : 0, NULL);

	if (rc != MOSQ_ERR_SUCCESS)
		down(m, mosquitto_strerror(rc));
	return rc == MOSQ_ERR_SUCCESS;
}

/*
 * LIVE at QoS 0: brokers queue nothing of that for who is away, so there is
 * no history of it.
 */
static void
subscribe_all(struct mqtt *m)
{
	const struct zp_transport_args *args = args_of(m);

	if (has_live(m) &&
	    !subscribe(
		m, &m->live_mid, args->live, 0, MQTT_SUB_OPT_SEND_RETAIN_NEVER))
		return;
	subscribe(
	    m, &m->topic_mid, args->topic, 1, MQTT_SUB_OPT_SEND_RETAIN_NEW);
}

/* The broker and its terms; called within loop_read(), so nothing is closed. */
static void
on_connect(struct mosquitto *mosq, void *arg, int reason, int flags,
    const mosquitto_property *props)
{
	struct mqtt *m = arg;
	uint16_t maximum = WINDOW;

	(void)mosq;
	hear(m);
	if (reason != 0) {
		m->other_version = m->version == MQTT_PROTOCOL_V5 &&
		    (reason == CONNACK_REFUSED_PROTOCOL_VERSION ||
			reason == MQTT_RC_UNSUPPORTED_PROTOCOL_VERSION);
		m->hopeless = is_hopeless(reason);
		note_refusal(m, "the broker refuses the connection", reason);
		return;
	}
	m->state = UP;
	if (props != NULL)
		mosquitto_property_read_int16(
		    props, MQTT_PROP_RECEIVE_MAXIMUM, &maximum, false);
	m->window = maximum > 0 && maximum < WINDOW ? maximum : WINDOW;
	if (m->known && keeps_session(m) && !(flags & 1))
		zp_transport_warn(m->t,
		    "the broker has not kept the session; what came since is "
		    "missing");
	m->known = subscribes(m);
	zp_transport_up(m->t);
	if (subscribes(m))
		subscribe_all(m);
	else
		m->let_in = true;
}

/*
 * The history is what the broker has queued for the session.  It sends the
 * messages of a topic in the order in which they came (MQTT 5, section 4.6),
 * so one that we publish there now comes back behind all of them.
 */
static void
send_probe(struct mqtt *m)
{
	mosquitto_property *props = NULL;
	int rc = MOSQ_ERR_NOMEM;

	memcpy(m->probe, "zpinc-mqtt probe ", 18);
	if (!random_text(m->probe + 17, (PROBE_LEN - 17) / 2)) {
		m->live_at = zp_transport_now(m->t) + QUIET_TAKEN;
		return;
	}
	if (m->version != MQTT_PROTOCOL_V5 ||
	    mosquitto_property_add_int32(&props,
		MQTT_PROP_MESSAGE_EXPIRY_INTERVAL,
		PROBE_LIFE) == MOSQ_ERR_SUCCESS)
		rc = mosquitto_publish_v5(m->mosq, &m->probe_mid,
		    args_of(m)->topic, (int)strlen(m->probe), m->probe, 1,
		    false, props);
	mosquitto_property_free_all(&props);
	if (rc != MOSQ_ERR_SUCCESS)
		down(m, mosquitto_strerror(rc));
}

static void
on_subscribe(struct mosquitto *mosq, void *arg, int mid, int n,
    const int *granted, const mosquitto_property *props)
{
	struct mqtt *m = arg;

	(void)mosq;
	(void)props;
	hear(m);
	if (n < 1 || granted[0] >= 128) {
		snprintf(m->refusal, sizeof(m->refusal),
		    "the broker refuses the subscription%s%s",
		    n > 0 && granted[0] > 128 ? ": " : "",
		    n > 0 && granted[0] > 128
			? mosquitto_reason_string(granted[0])
			: "");
		m->hopeless = true;
		return;
	}
	if (mid != m->topic_mid)
		return;
	if (granted[0] < 1)
		zp_transport_warn(m->t,
		    "the broker grants no acknowledgements (QoS 0); records "
		    "may be lost");
	m->let_in = true;
	send_probe(m);
}

static void
on_unsubscribe(
    struct mosquitto *mosq, void *arg, int mid, const mosquitto_property *props)
{
	(void)mosq;
	(void)mid;
	(void)props;
	hear(arg); /* the answer to ask(), which is all it is for */
}

static void
tell_live(struct mqtt *m)
{
	m->live_at = INT64_MAX;
	if (m->live_told)
		return;
	m->live_told = true;
	zp_transport_live(m->t);
}

static void
take_records(struct mqtt *m, const char *data, size_t len)
{
	struct zp_record rec;
	size_t from = 0;

	while (zp_record_find(data, len, &from, false, &rec)) {
		zp_echo_came(&m->echo, &rec, m->heard_at);
		zp_transport_receive_record(m->t, &rec);
		if (zp_scan_torn(&rec, data + len))
			from = zp_record_retry(data, &rec);
	}
}

static void
on_message(struct mosquitto *mosq, void *arg,
    const struct mosquitto_message *message, const mosquitto_property *props)
{
	struct mqtt *m = arg;
	size_t len = message->payloadlen > 0 ? (size_t)message->payloadlen : 0;

	(void)mosq;
	(void)props;
	hear(m);
	m->unshown = true;
	if (m->live_at != INT64_MAX)
		m->live_at = m->heard_at + QUIET_TAKEN;
	if (len == 0)
		return;
	if (m->probe_mid != 0 && len == strlen(m->probe) &&
	    memcmp(message->payload, m->probe, len) == 0)
		tell_live(m);
	else
		take_records(m, message->payload, len);
}

/* ---- publishing ---- */

/* The broker will never take it, whatever we do. */
static bool
is_final(int reason)
{
	return reason == MQTT_RC_NOT_AUTHORIZED ||
	    reason == MQTT_RC_TOPIC_NAME_INVALID ||
	    reason == MQTT_RC_PACKET_TOO_LARGE ||
	    reason == MQTT_RC_PAYLOAD_FORMAT_INVALID;
}

static void
on_publish(struct mosquitto *mosq, void *arg, int mid, int reason,
    const mosquitto_property *props)
{
	struct mqtt *m = arg;
	struct zp_item *item = m->by_mid[mid & 0xffff];

	(void)mosq;
	(void)props;
	hear(m);
	if (item == NULL) {
		if (mid == m->probe_mid && !m->live_told)
			m->live_at = m->heard_at +
			    (reason >= 128 ? QUIET_REFUSED : QUIET_TAKEN);
		return;
	}
	m->by_mid[mid & 0xffff] = NULL;
	m->in_flight--;
	if (reason < 128) {
		zp_transport_acked(m->t, item);
	} else if (is_final(reason)) {
		zp_transport_refused(
		    m->t, item, "%s", mosquitto_reason_string(reason));
	} else {
		forget_items(m);
		zp_transport_stall(m->t, "%s", mosquitto_reason_string(reason));
	}
}

/* The topic of a record, as text; NULL: no memory. */
static const char *
topic_of(struct mqtt *m, const struct zp_record *rec)
{
	if (m->topic == NULL || strlen(m->topic) != rec->rp_len ||
	    memcmp(m->topic, rec->rp, rec->rp_len) != 0) {
		free(m->topic);
		m->topic = strndup(rec->rp, rec->rp_len);
	}
	return m->topic;
}

/*
 * Is there room in the window?  Once it is full it has to be half empty, so
 * that several go out together, and wake the broker once.
 */
static bool
may_send(struct mqtt *m, bool comes_back)
{
	if (comes_back && !zp_echo_room(&m->echo))
		return false;
	if (m->in_flight >= m->window)
		m->full = true;
	else if (m->in_flight <= m->window / 2)
		m->full = false;
	return !m->full;
}

static bool
publish(void *self, struct zp_item *item)
{
	struct mqtt *m = self;
	bool comes_back = subscribes(m) && !item->live &&
	    strncmp(args_of(m)->topic, item->rec.rp, item->rec.rp_len) == 0;
	const char *topic;
	int mid, rc;

	if (!may_send(m, comes_back))
		return false;
	topic = topic_of(m, &item->rec);
	rc = topic == NULL
	    ? MOSQ_ERR_NOMEM
	    : mosquitto_publish_v5(m->mosq, &mid, topic, (int)item->rec.len,
		  item->rec.line, 1, false, NULL);
	switch (rc) {
	case MOSQ_ERR_SUCCESS:
		m->by_mid[mid & 0xffff] = item;
		m->in_flight++;
		if (comes_back)
			zp_echo_sent(
			    &m->echo, &item->rec, zp_transport_now(m->t));
		return true;
	case MOSQ_ERR_NOMEM:
		no_memory(m);
		return false;
	case MOSQ_ERR_OVERSIZE_PACKET:
	case MOSQ_ERR_PAYLOAD_SIZE:
		zp_transport_refused(
		    m->t, item, "it is longer than the broker takes");
		return true;
	default:
		down(m, mosquitto_strerror(rc));
		return false;
	}
}

/* ---- the loop's side ---- */

/* What a failure of the link means. */
static void
link_failed(struct mqtt *m, int rc, int why)
{
	bool tcp = (m->state == DIALLING || m->state == SHAKING) &&
	    m->next != NULL && (m->tls == NULL || !zp_tls_refused(m->tls));

	if (m->other_version) {
		m->version = MQTT_PROTOCOL_V311;
		m->other_version = false;
		m->next = m->found;
		dial_next(m, rc, why);
	} else if (m->refusal[0] != '\0') {
		if (m->hopeless)
			refused(m, m->refusal);
		else
			down(m, m->refusal);
	} else if (tcp) {
		dial_next(m, rc, why);
	} else {
		tell_error(m, rc, why);
	}
}

/* May acknowledgements go out? */
static bool
may_write(struct mqtt *m)
{
	if (m->unshown && zp_transport_written(m->t))
		m->unshown = false;
	return !m->unshown;
}

/* Anything that the broker must answer, and nothing else happens. */
static void
ask(struct mqtt *m)
{
	static const char nowhere[] = "zpinc-mqtt/nothing";

	(void)mosquitto_unsubscribe(m->mosq, NULL, nowhere);
	m->asked = true;
	m->asked_at = zp_transport_now(m->t);
}

/* Finds a link that is dead; *wait_ms: when to look again. */
static void
keep_alive(struct mqtt *m, int *wait_ms)
{
	int64_t now = zp_transport_now(m->t);
	int64_t limit =
	    m->state == UP ? args_of(m)->keepalive * 1000 : PATIENCE;

	if (m->state == UP && (m->unshown || !zp_transport_room(m->t))) {
		m->heard_at = now; /* it is us who do not listen */
		m->asked_at = now;
		return;
	}
	int64_t since = m->asked ? m->asked_at : m->heard_at;
	if (now - since >= limit) {
		if (m->asked || m->state != UP) {
			if (m->state == DIALLING)
				link_failed(m, MOSQ_ERR_ERRNO, ETIMEDOUT);
			else
				down(m, "no answer");
			return;
		}
		ask(m);
		since = now;
	}
	if (since + limit - now < *wait_ms)
		*wait_ms = (int)(since + limit - now);
}

/* Each packet is a write of libmosquitto's; held up, they go as one. */
static int
write_packets(struct mqtt *m)
{
	int fd = mosquitto_socket(m->mosq), on = 1, rc;

#ifdef TCP_CORK
	(void)setsockopt(fd, IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
#endif
	rc = mosquitto_loop_write(m->mosq, 1);
#ifdef TCP_CORK
	int why = errno;
	on = 0;
	if (mosquitto_socket(m->mosq) == fd)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
	errno = why;
#endif
	return rc;
}

/* Stops waiting for what we published to come back, if it does not. */
static void
look_after_echo(struct mqtt *m, int *wait_ms)
{
	int64_t now = zp_transport_now(m->t), at = zp_echo_due(&m->echo);

	if (at <= now)
		zp_echo_give_up(
		    &m->echo, !m->unshown && zp_transport_room(m->t));
	else if (at - now < *wait_ms)
		*wait_ms = (int)(at - now);
}

static void
look_after(struct mqtt *m, int *wait_ms)
{
	int64_t now = zp_transport_now(m->t);
	int rc = MOSQ_ERR_SUCCESS;

	keep_alive(m, wait_ms);
	if (m->lost || m->mosq == NULL)
		return;
	if (*wait_ms > LOOK)
		*wait_ms = LOOK;
	look_after_echo(m, wait_ms);
	if (m->live_at <= now)
		tell_live(m);
	else if (m->live_at - now < *wait_ms)
		*wait_ms = (int)(m->live_at - now);
	if (m->state == UP && may_write(m))
		rc = mosquitto_loop_misc(m->mosq);
	if (rc == MOSQ_ERR_SUCCESS && m->state >= WAITING && may_write(m) &&
	    mosquitto_want_write(m->mosq))
		rc = write_packets(m);
	if (rc != MOSQ_ERR_SUCCESS)
		link_failed(m, rc, errno);
}

static size_t
poll_broker(void *self, struct pollfd *fds, size_t cap, int *wait_ms)
{
	struct mqtt *m = self;
	int events = 0;

	if (m->mosq == NULL || cap == 0)
		return 0;
	look_after(m, wait_ms);
	if (m->mosq == NULL || m->lost || mosquitto_socket(m->mosq) < 0)
		return 0;
	if (m->state != UP || zp_transport_room(m->t))
		events |= POLLIN;
	if (m->state == DIALLING ||
	    (may_write(m) && mosquitto_want_write(m->mosq)))
		events |= POLLOUT;
	fds[0] = (struct pollfd){
	    .fd = mosquitto_socket(m->mosq), .events = (short)events};
	return 1;
}

/*
 * Brokers send small packets and by default leave it to Nagle's algorithm to
 * hold each back until the one before is acknowledged by TCP, which our side
 * would put off for 40 ms.  The kernel forgets this with what it receives.
 */
static void
acknowledge_at_once(struct mqtt *m)
{
#ifdef TCP_QUICKACK
	int on = 1;

	if (mosquitto_socket(m->mosq) >= 0)
		(void)setsockopt(mosquitto_socket(m->mosq), IPPROTO_TCP,
		    TCP_QUICKACK, &on, sizeof(on));
#else
	(void)m;
#endif
}

/* Reads while something comes and somebody takes it. */
static int
read_packets(struct mqtt *m)
{
	int rc = MOSQ_ERR_SUCCESS;

	for (int i = 0; i < PACKETS && rc == MOSQ_ERR_SUCCESS &&
	     m->refusal[0] == '\0' && zp_transport_room(m->t);
	     i++) {
		uint64_t before = m->heard;
		rc = mosquitto_loop_read(m->mosq, 1);
		if (m->heard == before)
			break;
	}
	return rc;
}

/*
 * While hands are shaken libmosquitto takes a dead socket for one that is not
 * ready.  The first to look at it may have been OpenSSL, as it was begun.
 */
static int
socket_error(const struct mqtt *m, int fd)
{
	socklen_t len = sizeof(int);
	int why = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &len) != 0)
		return errno;
	if (why != 0)
		return why;
	return m->dialled == EINPROGRESS || m->dialled == EAGAIN ? 0
								 : m->dialled;
}

static void
service(void *self, const struct pollfd *fds, size_t n)
{
	struct mqtt *m = self;
	int rc = MOSQ_ERR_SUCCESS, dead = 0;

	if (m->mosq == NULL || n == 0 || fds[0].revents == 0)
		return;
	bool begins = m->state == DIALLING || m->state == SHAKING;
	bool gone = (fds[0].revents & (POLLERR | POLLHUP)) != 0;
	if (begins && gone && m->tls != NULL)
		dead = socket_error(m, fds[0].fd);
	if (begins && (fds[0].revents & (POLLOUT | POLLERR))) {
		rc = mosquitto_loop_write(m->mosq, 1);
		if (rc == MOSQ_ERR_SUCCESS)
			m->state = m->tls != NULL ? SHAKING : WAITING;
	}
	if (rc == MOSQ_ERR_SUCCESS && ((fds[0].revents & POLLIN) || gone))
		rc = read_packets(m);
	if (rc == MOSQ_ERR_SUCCESS && m->state == SHAKING && gone) {
		errno = dead;
		rc = dead != 0 ? MOSQ_ERR_ERRNO : MOSQ_ERR_CONN_LOST;
	}
	if (rc == MOSQ_ERR_SUCCESS)
		acknowledge_at_once(m);
	if (rc != MOSQ_ERR_SUCCESS || m->refusal[0] != '\0')
		link_failed(m, rc, errno);
}

static void
init(void *self)
{
	struct mqtt *m = self;

	m->state_fd = -1;
}

static const struct zp_transport_ops ops = {
    .name = "zpinc-mqtt",
    .size = sizeof(struct mqtt),
    .init = init,
    .schemes = "mqtt mqtts",
    .options = options,
    .n_options = sizeof(options) / sizeof(*options),
    .keepalive = true,
    .query = true,
    .option = take_option,
    .start = start,
    .connect = connect_broker,
    .disconnect = disconnect,
    .publish = publish,
    .poll = poll_broker,
    .service = service,
    .stop = stop,
};

int
main(int argc, char **argv)
{
	return zp_transport_main(argc, argv, &ops);
}
