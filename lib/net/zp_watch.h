#ifndef ZP_WATCH_H
#define ZP_WATCH_H

#include <stdbool.h>

/*
 * Told by the kernel when a file of a folder changes (inotify on Linux).
 * Where that does not exist or is used up, fd stays -1 and the caller looks
 * for itself, more often.
 */
struct zp_watch {
	int fd;
};

void
zp_watch_open(struct zp_watch *w);
void
zp_watch_close(struct zp_watch *w);

/* Watches the files of a folder; its id, or -1. */
int
zp_watch_files(struct zp_watch *w, const char *path);

/* Watches which folders are in a folder; its id, or -1. */
int
zp_watch_folders(struct zp_watch *w, const char *path);

/* No-op for -1. */
void
zp_watch_remove(struct zp_watch *w, int id);

enum zp_watch_what {
	ZP_WATCH_CHANGED, /* the file `name` of folder id */
	ZP_WATCH_REPLACED, /* another file has that name, or none any more */
	ZP_WATCH_GONE, /* the folder itself; id is no longer valid */
	ZP_WATCH_LOST, /* events were lost, of all folders: look at everything
			*/
};

/* Hands over what has happened, without waiting.  name may be NULL. */
void
zp_watch_read(struct zp_watch *w,
    void (*on_change)(
	void *arg, int id, enum zp_watch_what what, const char *name),
    void *arg);

#endif
