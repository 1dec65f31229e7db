#include "proc/zp_landlock.h"

#ifdef __linux__

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/landlock.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Landlock's numbers, one on all machines. */
#define NR_CREATE_RULESET 444
#define NR_ADD_RULE 445
#define NR_RESTRICT_SELF 446

/* Rights by the ABI that brought them; see landlock(7). */
#define FS_EXECUTE (1ULL << 0)
#define FS_WRITE_FILE (1ULL << 1)
#define FS_READ_FILE (1ULL << 2)
#define FS_READ_DIR (1ULL << 3)
#define FS_ABI_1 ((1ULL << 13) - 1)
#define FS_REFER (1ULL << 13) /* 2 */
#define FS_TRUNCATE (1ULL << 14) /* 3 */
#define FS_IOCTL_DEV (1ULL << 15) /* 5 */
#define NET_BIND_TCP (1ULL << 0) /* 4 */
#define NET_CONNECT_TCP (1ULL << 1) /* 4 */
#define SCOPE_ABSTRACT_UNIX (1ULL << 0) /* 6 */
#define SCOPE_SIGNAL (1ULL << 1) /* 6 */

#define FS_READ (FS_EXECUTE | FS_READ_FILE | FS_READ_DIR)
/* What a rule for a file, not a directory, may grant. */
#define FS_FILE \
	(FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)

/* struct landlock_ruleset_attr of ABI 6. */
struct ruleset {
	uint64_t fs, net, scoped;
};

static long
landlock_abi(void)
{
#ifdef ZP_SANITIZED
	return 0;
#else
	return syscall(
	    NR_CREATE_RULESET, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
#endif
}

bool
zp_landlock_has(void)
{
	return landlock_abi() > 0;
}

/* The rights this kernel knows; false if it knows none. */
static bool
known_rights(struct ruleset *r, size_t *size)
{
	long abi = landlock_abi();

	if (abi < 1)
		return false;
	r->fs = FS_ABI_1;
	r->fs |= abi >= 2 ? FS_REFER : 0;
	r->fs |= abi >= 3 ? FS_TRUNCATE : 0;
	r->fs |= abi >= 5 ? FS_IOCTL_DEV : 0;
	r->net = abi >= 4 ? NET_BIND_TCP | NET_CONNECT_TCP : 0;
	r->scoped = abi >= 6 ? SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL : 0;
	*size = offsetof(struct ruleset, net);
	if (abi >= 4)
		*size = offsetof(struct ruleset, scoped);
	if (abi >= 6)
		*size = sizeof(*r);
	return true;
}

static int
make_ruleset(const struct ruleset *r, size_t size)
{
	return (int)syscall(NR_CREATE_RULESET, r, size, 0);
}

/* Closes the set; does it hold from now on? */
static bool
enter_ruleset(int set)
{
	long r = syscall(NR_RESTRICT_SELF, set, 0);

	close(set);
	return r == 0;
}

/* Grants rights to an open path, and to what lies below it; closes it. */
static void
grant(int set, int fd, uint64_t rights)
{
	const struct landlock_path_beneath_attr rule = {
	    .allowed_access = rights, .parent_fd = fd};

	/* Fails for what no rule can name: it stays forbidden. */
	(void)syscall(NR_ADD_RULE, set, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	close(fd);
}

/* Grants rights to a path below dir, and to what lies below it. */
static void
allow(int set, int dir, const char *path, uint64_t rights)
{
	struct stat st;
	int fd = openat(dir, path, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return;
	if (fstat(fd, &st) != 0)
		close(fd);
	else
		grant(set, fd, S_ISDIR(st.st_mode) ? rights : rights & FS_FILE);
}

/* Is `below` the path `above`, or below it?  Both resolved. */
static bool
is_below(const char *below, const char *above)
{
	size_t n = strlen(above);

	if (n == 1)
		return true; /* the root */
	return strncmp(below, above, n) == 0 &&
	    (below[n] == '\0' || below[n] == '/');
}

/* Hidden paths, resolved. */
struct hidden {
	char **path;
	size_t n;
};

static bool
holds_hidden(const struct hidden *h, const char *tree)
{
	for (size_t i = 0; i < h->n; i++)
		if (is_below(h->path[i], tree))
			return true;
	return false;
}

static bool
is_hidden(const struct hidden *h, const char *path)
{
	for (size_t i = 0; i < h->n; i++)
		if (is_below(path, h->path[i]))
			return true;
	return false;
}

/* Allows what a directory holds, but for what leads to a hidden path. */
static void
allow_entries(int set, const char *dir, const struct hidden *h, uint64_t rights)
{
	DIR *d = opendir(dir);
	char path[PATH_MAX];

	if (d == NULL)
		return;
	for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		int n = snprintf(path, sizeof(path), "%s/%s",
		    strcmp(dir, "/") == 0 ? "" : dir, e->d_name);
		if (n < 0 || (size_t)n >= sizeof(path))
			continue;
		if (!holds_hidden(h, path) && !is_hidden(h, path))
			allow(set, dirfd(d), e->d_name, rights);
	}
	closedir(d);
}

/* Are they in one directory?  Both resolved. */
static bool
are_siblings(const char *a, const char *b)
{
	size_t n = (size_t)(strrchr(a, '/') - a);

	return n == (size_t)(strrchr(b, '/') - b) && memcmp(a, b, n) == 0;
}

/*
 * Rules only ever add, so a tree with hidden paths in it is allowed entry by
 * entry along the way to each of them.
 */
static void
allow_tree(int set, const char *tree, const struct hidden *h, uint64_t rights)
{
	char real[PATH_MAX], dir[PATH_MAX];

	if (realpath(tree, real) == NULL || is_hidden(h, real))
		return;
	if (!holds_hidden(h, real)) {
		allow(set, AT_FDCWD, real, rights);
		return;
	}
	for (size_t i = 0; i < h->n; i++) {
		if (!is_below(h->path[i], real) ||
		    (i > 0 && are_siblings(h->path[i - 1], h->path[i])))
			continue;
		/* From the hidden path's directory up to the tree. */
		snprintf(dir, sizeof(dir), "%s", h->path[i]);
		while (strlen(dir) > strlen(real)) {
			char *slash = strrchr(dir, '/');
			slash[slash == dir ? 1 : 0] = '\0';
			allow_entries(set, dir, h, rights);
		}
	}
}

static void
allow_trees(
    int set, const char *const *trees, const struct hidden *h, uint64_t rights)
{
	for (size_t i = 0; trees != NULL && trees[i] != NULL; i++)
		allow_tree(set, trees[i], h, rights);
}

static void
free_hidden(struct hidden *h)
{
	for (size_t i = 0; i < h->n; i++)
		free(h->path[i]);
	free(h->path);
}

/* What does not exist has nothing to hide. */
static enum zp_err
find_hidden(struct hidden *h, const char *const *paths)
{
	size_t n = 0;

	memset(h, 0, sizeof(*h));
	while (paths != NULL && paths[n] != NULL)
		n++;
	h->path = calloc(n + 1, sizeof(*h->path));
	if (h->path == NULL)
		return ZP_ERR_MEMORY;
	for (size_t i = 0; i < n; i++) {
		char *real = realpath(paths[i], NULL);
		if (real != NULL)
			h->path[h->n++] = real;
		else if (errno == ENOMEM)
			return ZP_ERR_MEMORY;
	}
	return ZP_OK;
}

/*
 * For any program: code, libraries, time zones, certificates, name look-up.
 * /etc as a whole, since resolv.conf is replaced by new files while we run.
 */
static const char *const system_read[] = {"/bin", "/sbin", "/lib", "/lib32",
    "/lib64", "/usr", "/opt", "/nix/store", "/gnu/store", "/etc", "/dev/random",
    "/dev/urandom", "/run/systemd/resolve", "/run/resolvconf",
    "/run/NetworkManager", "/run/connman", "/run/nscd", "/proc/sys",
    "/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu",
    "/var/lib/ca-certificates", "/var/run/nscd", NULL};
static const char *const system_write[] = {
    "/dev/null", "/dev/zero", "/dev/full", NULL};

static bool
enter(const struct zp_confine_paths *paths, const struct hidden *h)
{
	struct ruleset r;
	size_t size;

	if (!known_rights(&r, &size))
		return false;
	uint64_t all = r.fs;
	if (!paths->apart)
		r.scoped = r.net = 0;
	r.net &= NET_BIND_TCP;
	int set = make_ruleset(&r, size);
	if (set < 0)
		return false;
	if (paths->system) {
		allow_trees(set, system_read, h, FS_READ & all);
		allow_trees(set, system_write, h, all);
	}
	allow_trees(set, paths->read, h, FS_READ & all);
	allow_trees(set, paths->write, h, all);
	return enter_ruleset(set);
}

enum zp_err
zp_landlock_transport(const struct zp_confine_paths *paths, bool *entered)
{
	struct hidden h;
	enum zp_err err = find_hidden(&h, paths->hide);

	if (err == ZP_OK)
		*entered = enter(paths, &h);
	free_hidden(&h);
	return err;
}

bool
zp_landlock_keyed(const char *const *dirs)
{
	struct ruleset r;
	size_t size;

	if (!known_rights(&r, &size))
		return false;
	int set = make_ruleset(&r, size);
	if (set < 0)
		return false;
	for (; dirs != NULL && *dirs != NULL; dirs++) {
		int fd = open(*dirs, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0)
			grant(set, fd, r.fs & ~(FS_EXECUTE | FS_IOCTL_DEV));
	}
	return enter_ruleset(set);
}

#endif
