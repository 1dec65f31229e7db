#include "net/zp_watch.h"

#include <stddef.h>
#include <unistd.h>

#ifdef __linux__

#include <sys/inotify.h>

void
zp_watch_open(struct zp_watch *w)
{
	w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
}

int
zp_watch_files(struct zp_watch *w, const char *path)
{
	if (w->fd < 0)
		return -1;
	return inotify_add_watch(w->fd, path,
	    IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF |
		IN_MOVE_SELF | IN_ONLYDIR | IN_DONT_FOLLOW);
}

int
zp_watch_folders(struct zp_watch *w, const char *path)
{
	if (w->fd < 0)
		return -1;
	return inotify_add_watch(w->fd, path,
	    IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
		IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR);
}

void
zp_watch_remove(struct zp_watch *w, int id)
{
	if (w->fd >= 0 && id >= 0)
		(void)inotify_rm_watch(w->fd, id);
}

static enum zp_watch_what
meaning(uint32_t mask)
{
	if (mask & IN_Q_OVERFLOW)
		return ZP_WATCH_LOST;
	if (mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT))
		return ZP_WATCH_GONE;
	return mask & IN_MODIFY ? ZP_WATCH_CHANGED : ZP_WATCH_REPLACED;
}

void
zp_watch_read(struct zp_watch *w,
    void (*on_change)(
	void *arg, int id, enum zp_watch_what what, const char *name),
    void *arg)
{
	_Alignas(struct inotify_event) char buf[16384];
	ssize_t n;

	/* One block a call: more stays readable and wakes the next poll(). */
	if (w->fd < 0 || (n = read(w->fd, buf, sizeof(buf))) <= 0)
		return;
	for (const char *at = buf; at < buf + n;) {
		const struct inotify_event *e = (const void *)at;
		on_change(
		    arg, e->wd, meaning(e->mask), e->len > 0 ? e->name : NULL);
		at += sizeof(*e) + e->len;
	}
}

#else

void
zp_watch_open(struct zp_watch *w)
{
	w->fd = -1;
}

int
zp_watch_files(struct zp_watch *w, const char *path)
{
	(void)w;
	(void)path;
	return -1;
}

int
zp_watch_folders(struct zp_watch *w, const char *path)
{
	(void)w;
	(void)path;
	return -1;
}

void
zp_watch_remove(struct zp_watch *w, int id)
{
	(void)w;
	(void)id;
}

void
zp_watch_read(struct zp_watch *w,
    void (*on_change)(
	void *arg, int id, enum zp_watch_what what, const char *name),
    void *arg)
{
	(void)w;
	(void)on_change;
	(void)arg;
}

#endif

void
zp_watch_close(struct zp_watch *w)
{
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
}
