#include "proc/zp_seccomp.h"

#ifdef __linux__

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "proc/zp_confine.h"

/*
 * The filter is assembled here, at run time, from the header's
 * system call numbers: it costs 0.05 ms at start where libseccomp costs 0.4,
 * and nothing has to be run on the build machine for another one.
 */

#if defined(__x86_64__) && !defined(__ILP32__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__) && defined(__AARCH64EL__) && !defined(__ILP32__)
#define ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCH AUDIT_ARCH_RISCV64
#endif

/* Headers may be older than the kernel. */
#ifndef SECCOMP_RET_KILL_PROCESS
#define SECCOMP_RET_KILL_PROCESS 0x80000000U
#endif
#ifndef SECCOMP_FILTER_FLAG_SPEC_ALLOW
#define SECCOMP_FILTER_FLAG_SPEC_ALLOW (1UL << 2)
#endif

/* What tcgetattr() of newer libcs asks; headers want a struct for its name. */
#define TCGETS2_NR 0x802c542aU

#if defined(ARCH) && !defined(ZP_SANITIZED)

/* What happens to a system call. */
enum act {
	NOSYS, /* the default: libraries know how to do without */
	ALLOW,
	KILL, /* nothing of ours asks for it */
	ACCES, /* libraries may look for a file: let them find none */
	PERM,
	/* by an argument */
	NO_EXEC, /* memory that is not executable */
	EMPTY_PATH, /* stat of a descriptor */
	OWN, /* a signal to this process */
	THREAD, /* a thread, no process */
	FCNTL,
	FCNTL_LOCK,
	IOCTL,
	ACTS
};

struct rule {
	uint16_t nr;
	uint8_t act;
	uint8_t flags; /* holds under these flags; 0: always */
};

#define F ZP_CONFINE_FILES
#define T ZP_CONFINE_THREADS

/* The later rule for a call wins. */
static const struct rule rules[] = {
    {__NR_read, ALLOW, 0}, {__NR_write, ALLOW, 0}, {__NR_readv, ALLOW, 0},
    {__NR_writev, ALLOW, 0}, {__NR_close, ALLOW, 0}, {__NR_lseek, ALLOW, 0},
    {__NR_fstat, ALLOW, 0}, {__NR_fcntl, FCNTL, 0}, {__NR_ioctl, IOCTL, 0},
    {__NR_ppoll, ALLOW, 0}, {__NR_pselect6, ALLOW, 0}, {__NR_mmap, NO_EXEC, 0},
    {__NR_mprotect, NO_EXEC, 0}, {__NR_munmap, ALLOW, 0},
    {__NR_mremap, ALLOW, 0}, {__NR_madvise, ALLOW, 0}, {__NR_mlock, ALLOW, 0},
    {__NR_munlock, ALLOW, 0}, {__NR_brk, ALLOW, 0}, {__NR_futex, ALLOW, 0},
    {__NR_getrandom, ALLOW, 0}, {__NR_clock_gettime, ALLOW, 0},
    {__NR_clock_getres, ALLOW, 0}, {__NR_gettimeofday, ALLOW, 0},
    {__NR_nanosleep, ALLOW, 0}, {__NR_clock_nanosleep, ALLOW, 0},
    {__NR_rt_sigaction, ALLOW, 0}, {__NR_rt_sigprocmask, ALLOW, 0},
    {__NR_rt_sigpending, ALLOW, 0}, {__NR_rt_sigsuspend, ALLOW, 0},
    {__NR_rt_sigtimedwait, ALLOW, 0}, {__NR_rt_sigreturn, ALLOW, 0},
    {__NR_sigaltstack, ALLOW, 0}, {__NR_restart_syscall, ALLOW, 0},
    {__NR_exit, ALLOW, 0}, {__NR_exit_group, ALLOW, 0}, {__NR_getpid, ALLOW, 0},
    {__NR_getppid, ALLOW, 0}, {__NR_gettid, ALLOW, 0}, {__NR_getuid, ALLOW, 0},
    {__NR_geteuid, ALLOW, 0}, {__NR_getgid, ALLOW, 0}, {__NR_getegid, ALLOW, 0},
    {__NR_tgkill, OWN, 0}, {__NR_sched_yield, ALLOW, 0},
    {__NR_sched_getaffinity, ALLOW, 0}, {__NR_sysinfo, ALLOW, 0},
    {__NR_openat, ACCES, 0}, {__NR_newfstatat, EMPTY_PATH, 0},
    {__NR_faccessat, ACCES, 0}, {__NR_readlinkat, ACCES, 0},
#ifdef __NR_faccessat2
    {__NR_faccessat2, ACCES, 0},
#endif
#ifdef __NR_poll /* the older names, which newer machines lack */
    {__NR_poll, ALLOW, 0}, {__NR_select, ALLOW, 0}, {__NR_time, ALLOW, 0},
    {__NR_open, ACCES, 0}, {__NR_stat, ACCES, 0}, {__NR_lstat, ACCES, 0},
    {__NR_access, ACCES, 0}, {__NR_readlink, ACCES, 0}, {__NR_open, ALLOW, F},
    {__NR_stat, ALLOW, F}, {__NR_lstat, ALLOW, F}, {__NR_access, ALLOW, F},
    {__NR_readlink, ALLOW, F}, {__NR_rename, ALLOW, F}, {__NR_link, ALLOW, F},
    {__NR_unlink, ALLOW, F}, {__NR_mkdir, ALLOW, F}, {__NR_rmdir, ALLOW, F},
    {__NR_chmod, ALLOW, F}, {__NR_fork, KILL, 0}, {__NR_vfork, KILL, 0},
#endif
#ifdef __NR_mlock2
    {__NR_mlock2, ALLOW, 0},
#endif

    {__NR_fcntl, FCNTL_LOCK, F}, {__NR_openat, ALLOW, F},
    {__NR_newfstatat, ALLOW, F}, {__NR_faccessat, ALLOW, F},
    {__NR_readlinkat, ALLOW, F},
#ifdef __NR_faccessat2
    {__NR_faccessat2, ALLOW, F},
#endif
#ifdef __NR_statx
    {__NR_statx, ALLOW, F},
#endif
    {__NR_getdents64, ALLOW, F}, {__NR_pread64, ALLOW, F},
    {__NR_pwrite64, ALLOW, F}, {__NR_ftruncate, ALLOW, F},
    {__NR_fallocate, ALLOW, F}, {__NR_fsync, ALLOW, F},
    {__NR_fdatasync, ALLOW, F}, {__NR_flock, ALLOW, F}, {__NR_fchmod, ALLOW, F},
    {__NR_fchmodat, ALLOW, F}, {__NR_umask, ALLOW, F}, {__NR_mkdirat, ALLOW, F},
    {__NR_linkat, ALLOW, F}, {__NR_unlinkat, ALLOW, F},
#ifdef __NR_renameat
    {__NR_renameat, ALLOW, F},
#endif
    {__NR_renameat2, ALLOW, F},

    {__NR_clone, KILL, 0}, {__NR_clone, THREAD, T},
    {__NR_set_robust_list, ALLOW, T},
#ifdef __NR_rseq
    {__NR_rseq, ALLOW, T},
#endif

    {__NR_socket, KILL, 0}, {__NR_socketpair, KILL, 0}, {__NR_connect, KILL, 0},
    {__NR_bind, KILL, 0}, {__NR_listen, KILL, 0}, {__NR_accept, KILL, 0},
    {__NR_accept4, KILL, 0}, {__NR_sendto, KILL, 0}, {__NR_sendmsg, KILL, 0},
    {__NR_sendmmsg, KILL, 0}, {__NR_recvfrom, KILL, 0}, {__NR_recvmsg, KILL, 0},
    {__NR_recvmmsg, KILL, 0}, {__NR_shutdown, KILL, 0},
    {__NR_getsockname, KILL, 0}, {__NR_getpeername, KILL, 0},
    {__NR_setsockopt, KILL, 0}, {__NR_getsockopt, KILL, 0},
    {__NR_execve, KILL, 0}, {__NR_execveat, KILL, 0}, {__NR_ptrace, KILL, 0},
    {__NR_process_vm_readv, KILL, 0}, {__NR_process_vm_writev, KILL, 0},
    {__NR_kill, KILL, 0}, {__NR_tkill, KILL, 0}, {__NR_bpf, KILL, 0},
    /* One number on all machines since Linux 5.1. */
    {425, KILL, 0}, /* io_uring_setup */
    {426, KILL, 0}, /* io_uring_enter */
    {427, KILL, 0}, /* io_uring_register */
};

#undef F
#undef T

#define NR_MAX 512 /* beyond are no system calls yet */
#define CODE_MAX 256 /* as far as a jump goes */

/*
 * A filter being made, from its end to its start: jumps go forward, so each
 * has its targets before it.  A place is an index into ins.
 */
struct code {
	size_t start; /* the first instruction so far */
	bool bad; /* does not fit */
	uint8_t act[ACTS]; /* its place, or 0: not made yet */
	struct sock_filter ins[CODE_MAX];
};

static uint8_t
emit(struct code *c, unsigned op, uint32_t k)
{
	const struct sock_filter ins = {(uint16_t)op, 0, 0, k};

	/* Place 0 stays empty: for an act it means none. */
	if (c->start == 1)
		c->bad = true;
	else
		c->start--;
	c->ins[c->start] = ins;
	return (uint8_t)c->start;
}

/* Compares what is loaded with k. */
static uint8_t
emit_jump(struct code *c, unsigned jump, uint32_t k, uint8_t yes, uint8_t no)
{
	uint8_t at = emit(c, BPF_JMP | jump | BPF_K, k);

	c->ins[at].jt = (uint8_t)(yes - at - 1);
	c->ins[at].jf = (uint8_t)(no - at - 1);
	return at;
}

static uint8_t
emit_load(struct code *c, size_t offset)
{
	return emit(c, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset);
}

/* Loads the lower half of an argument; on little-endian machines. */
static uint8_t
emit_arg(struct code *c, unsigned i)
{
	return emit_load(
	    c, offsetof(struct seccomp_data, args) + (size_t)8 * i);
}

/* From this value on, up to the next range's. */
struct range {
	uint32_t first;
	uint8_t act;
};

/*
 * A binary search over the n ranges for what is loaded.  They are taken from
 * the last on, and what is alike is joined as the carries of a binary counter
 * go.  A single value whose neighbours agree with one another is told apart
 * by one test, where two borders would take two.  Of each jump one branch
 * goes to the next instruction where it can, which the kernel translates to
 * one instruction in place of two.
 */
static uint8_t
emit_search(struct code *c, const struct range *ranges, size_t n)
{
	struct {
		uint32_t first;
		uint8_t at, height;
	} tree[16] = {{0}}; /* for up to 2^15 ranges */
	size_t depth = 0;

	while (n > 0 && depth < 15) {
		const struct range *r = &ranges[--n];
		uint8_t at = c->act[r->act];
		for (; n > 1 && r[-1].first + 1 == r->first &&
		     r[-2].act == r->act;
		     n -= 2, r -= 2)
			at = emit_jump(
			    c, BPF_JEQ, r[-1].first, c->act[r[-1].act], at);
		tree[depth].first = r->first;
		tree[depth].height = 0;
		tree[depth++].at = at;
		for (; depth > 1 &&
		     (n == 0 ||
			 tree[depth - 2].height == tree[depth - 1].height);
		     depth--) {
			tree[depth - 2].at =
			    emit_jump(c, BPF_JGE, tree[depth - 2].first,
				tree[depth - 2].at, tree[depth - 1].at);
			tree[depth - 2].first = tree[depth - 1].first;
			tree[depth - 2].height++;
		}
	}
	return tree[0].at;
}

/* Argument i is looked up in n ranges. */
static uint8_t
emit_ranges(struct code *c, unsigned i, const struct range *ranges, size_t n)
{
	emit_search(c, ranges, n);
	return emit_arg(c, i);
}

/* Argument i tested against k decides between two acts. */
static uint8_t
emit_test(struct code *c, unsigned i, unsigned jump, uint32_t k, enum act yes,
    enum act no)
{
	emit_jump(c, jump, k, c->act[yes], c->act[no]);
	return emit_arg(c, i);
}

static uint8_t
emit_ret(struct code *c, uint32_t verdict)
{
	return emit(c, BPF_RET | BPF_K, verdict);
}

static uint8_t
emit_act(struct code *c, enum act act)
{
	static const struct range cntl[] = {{0, PERM}, {F_GETFD, ALLOW},
	    {F_SETFL + 1, PERM}, {F_SETPIPE_SZ, ALLOW},
	    {F_GETPIPE_SZ + 1, PERM}};
	static const struct range lock[] = {{0, PERM}, {F_GETFD, ALLOW},
	    {F_SETLKW + 1, PERM}, {36 /* F_OFD_GETLK */, ALLOW},
	    {38 + 1 /* F_OFD_SETLKW */, PERM}, {F_DUPFD_CLOEXEC, ALLOW},
	    {F_GETPIPE_SZ + 1, PERM}};
	static const struct range ctl[] = {{0, PERM}, {TCGETS, ALLOW},
	    {TCGETS + 1, PERM}, {TIOCGWINSZ, ALLOW}, {TIOCGWINSZ + 1, PERM},
	    {FIONREAD, ALLOW}, {FIONREAD + 1, PERM}, {TCGETS2_NR, ALLOW},
	    {TCGETS2_NR + 1, PERM}};

	switch (act) {
	case NOSYS:
		return emit_ret(c, SECCOMP_RET_ERRNO | ENOSYS);
	case ALLOW:
		return emit_ret(c, SECCOMP_RET_ALLOW);
	case KILL:
		return emit_ret(c, SECCOMP_RET_KILL_PROCESS);
	case ACCES:
		return emit_ret(c, SECCOMP_RET_ERRNO | EACCES);
	case PERM:
		return emit_ret(c, SECCOMP_RET_ERRNO | EPERM);
	case NO_EXEC:
		return emit_test(c, 2, BPF_JSET, PROT_EXEC, ACCES, ALLOW);
	case EMPTY_PATH:
		return emit_test(c, 3, BPF_JSET, AT_EMPTY_PATH, ALLOW, ACCES);
	case OWN:
		return emit_test(
		    c, 0, BPF_JEQ, (uint32_t)getpid(), ALLOW, KILL);
	case THREAD:
		return emit_test(
		    c, 0, BPF_JSET, 0x10000 /* CLONE_THREAD */, ALLOW, KILL);
	case FCNTL:
		return emit_ranges(c, 1, cntl, sizeof(cntl) / sizeof(*cntl));
	case FCNTL_LOCK:
		return emit_ranges(c, 1, lock, sizeof(lock) / sizeof(*lock));
	case IOCTL:
		return emit_ranges(c, 1, ctl, sizeof(ctl) / sizeof(*ctl));
	case ACTS:
		break;
	}
	return 0;
}

/* A rule has two borders at most, and both ends have one. */
#define RANGES (2 * sizeof(rules) / sizeof(*rules) + 2)

static size_t
make_ranges(struct range ranges[static RANGES], unsigned flags)
{
	uint8_t acts[NR_MAX] = {0};
	size_t n = 0;

	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++)
		if (rules[i].nr < NR_MAX &&
		    (rules[i].flags == 0 || (rules[i].flags & flags) != 0))
			acts[rules[i].nr] = rules[i].act;
	for (uint32_t nr = 0; nr < NR_MAX; nr++) {
		if (n > 0 && ranges[n - 1].act == acts[nr])
			continue;
		ranges[n++] = (struct range){nr, acts[nr]};
	}
#ifdef __x86_64__
	/* The x32 ABI: the same calls under other numbers. */
	ranges[n++] = (struct range){0x40000000, KILL};
#endif
	return n;
}

/* Once each, at the end: the acts that the ranges name and those need. */
static void
emit_acts(struct code *c, const struct range *ranges, size_t n)
{
	static const enum act basic[] = {ALLOW, KILL, ACCES, PERM};

	for (size_t i = 0; i < sizeof(basic) / sizeof(*basic); i++)
		c->act[basic[i]] = emit_act(c, basic[i]);
	for (size_t i = 0; i < n; i++)
		if (c->act[ranges[i].act] == 0)
			c->act[ranges[i].act] = emit_act(c, ranges[i].act);
}

static void
make_filter(struct code *c, unsigned flags)
{
	struct range ranges[RANGES];
	size_t n = make_ranges(ranges, flags);

	c->start = CODE_MAX;
	c->bad = false;
	memset(c->act, 0, sizeof(c->act));
	emit_acts(c, ranges, n);
	emit_search(c, ranges, n);
	uint8_t nr = emit_load(c, offsetof(struct seccomp_data, nr));
	emit_jump(c, BPF_JEQ, ARCH, nr, c->act[KILL]);
	emit_load(c, offsetof(struct seccomp_data, arch));
	/*
	 * To no effect but one: kernels since 5.11 try each system call on a
	 * filter when it is set, to pass it by later where it always allows,
	 * and give up at what they do not expect.  That trial takes longer
	 * than the filter will in a short run.
	 */
	emit(c, BPF_LD | BPF_W | BPF_IMM, 0);
}

static bool
set_filter(struct code *c, unsigned long flags)
{
	struct sock_fprog prog = {
	    (unsigned short)(CODE_MAX - c->start), c->ins + c->start};

	if (c->bad)
		return false;
	return syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog) ==
	    0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0) == 0;
}

bool
zp_seccomp_enter(unsigned flags)
{
	struct code c;

	make_filter(&c, flags);
	/*
	 * The process runs no code of others, so the kernel need not slow it
	 * down against speculation, as old ones do unless told.
	 */
	return set_filter(&c, SECCOMP_FILTER_FLAG_SPEC_ALLOW);
}

/*
 * Pairs of streams go nowhere else, and programs wake themselves by them.  Of
 * other pairs each end can send to whatever Unix socket it names.
 */
static uint8_t
emit_pair(struct code *c)
{
	emit_jump(c, BPF_JEQ, SOCK_STREAM, c->act[ALLOW], c->act[ACCES]);
	emit(c, BPF_ALU | BPF_AND | BPF_K, 0xf); /* without its flags */
	return emit_arg(c, 1);
}

bool
zp_seccomp_transport(void)
{
	static const uint32_t denied[] = {
#ifdef __NR_chmod /* the older names */
	    __NR_chmod, __NR_chown, __NR_lchown,
#endif
	    __NR_fchmodat, __NR_fchownat, 452 /* fchmodat2 */,
	    /* Access lists, which are modes. */
	    __NR_setxattr, __NR_lsetxattr, __NR_removexattr, __NR_lremovexattr,
	    463 /* setxattrat */, 466 /* removexattrat */};
	struct code c = {.start = CODE_MAX};

	for (enum act act = NOSYS; act <= PERM; act++)
		c.act[act] = emit_act(&c, act);
	uint8_t family = emit_test(&c, 0, BPF_JEQ, AF_UNIX, ACCES, ALLOW);
	uint8_t pair = emit_pair(&c);
	uint8_t limits = emit_test(&c, 0, BPF_JEQ, 0, ALLOW, PERM);
	uint8_t at = c.act[ALLOW];
	for (size_t i = 0; i < sizeof(denied) / sizeof(*denied); i++)
		at = emit_jump(&c, BPF_JEQ, denied[i], c.act[PERM], at);
	for (uint32_t nr = 425; nr <= 427; nr++) /* io_uring */
		at = emit_jump(&c, BPF_JEQ, nr, c.act[NOSYS], at);
	at = emit_jump(&c, BPF_JEQ, __NR_prlimit64, limits, at);
	at = emit_jump(&c, BPF_JEQ, __NR_socketpair, pair, at);
	at = emit_jump(&c, BPF_JEQ, __NR_socket, family, at);
#ifdef __x86_64__
	at = emit_jump(&c, BPF_JGE, 0x40000000, c.act[KILL], at);
#endif
	(void)at;
	at = emit_load(&c, offsetof(struct seccomp_data, nr));
	/* Programs for another machine are none of ours. */
	emit_jump(&c, BPF_JEQ, ARCH, at, c.act[KILL]);
	emit_load(&c, offsetof(struct seccomp_data, arch));
	return set_filter(&c, 0);
}

bool
zp_seccomp_has(void)
{
	const uint32_t action = SECCOMP_RET_KILL_PROCESS;

	return syscall(__NR_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

#else

bool
zp_seccomp_enter(unsigned flags)
{
	(void)flags;
	return false;
}

bool
zp_seccomp_transport(void)
{
	return false;
}

bool
zp_seccomp_has(void)
{
	return false;
}

#endif

#endif
