#include "states.h"
#include "store/zp_sendstate.h"

/*
 * The state of a sender.  A file that opens gives out numbers once each and
 * goes on where it was; one that does not open stays as it is.
 */

static struct zp_sigctx
owner(const struct fuzz_world *w)
{
	struct zp_sigctx ctx = {0};

	memcpy(ctx.rp, zp_key_rp(w->key, false), sizeof(ctx.rp));
	memcpy(ctx.p, w->p[0], sizeof(ctx.p));
	return ctx;
}

static void
take_numbers(struct zp_sendstate *s, const char *path,
    const struct zp_sigctx *ctx, const uint8_t *sid)
{
	struct zp_fault fault;
	struct zp_sendstate *again;
	uint8_t other[ZP_SID_LEN];
	uint64_t a = 0, b = 0;

	enum zp_err err = zp_sendstate_reserve(s, 3, &a, &fault);
	MUST(err == ZP_OK || err == ZP_ERR_ENDED);
	if (err != ZP_OK)
		return;
	MUST(zp_sendstate_open(&again, path, ctx, other, &fault) == ZP_OK);
	MUST(memcmp(sid, other, sizeof(other)) == 0);
	err = zp_sendstate_reserve(again, 1, &b, &fault);
	MUST(err == ZP_ERR_ENDED || (err == ZP_OK && b == a + 3));
	zp_sendstate_free(again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct fuzz_world *w = fuzz_world();
	struct zp_sigctx ctx = owner(w);
	struct zp_fault fault;
	struct zp_sendstate *s;
	uint8_t sid[ZP_SID_LEN];
	size_t n;
	char *text = states_text(data, len, &n);
	const char *path = fuzz_file("send", text, n);

	if (zp_sendstate_open(&s, path, &ctx, sid, &fault) == ZP_OK) {
		take_numbers(s, path, &ctx, sid);
		zp_sendstate_free(s);
	}
	free(text);
	return 0;
}
