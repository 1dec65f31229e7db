#include "proc/zp_seccomp.h"

#ifdef __linux__

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
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

/* A filter being made.  All jumps are forward. */
struct code {
	struct sock_filter ins[CODE_MAX];
	/* Where yes and no of a jump go: an act, or AHEAD if that is set. */
	uint8_t to[CODE_MAX][2];
	size_t n;
	bool bad; /* does not fit */
};

#define AHEAD ACTS

/* Adds an instruction; yes and no: for jumps. */
static size_t
emit(struct code *c, unsigned op, uint32_t k, unsigned yes, unsigned no)
{
	const struct sock_filter ins = {(uint16_t)op, 0, 0, k};
	size_t at = c->n;

	if (at >= CODE_MAX) {
		c->bad = true;
		return 0;
	}
	c->ins[at] = ins;
	c->to[at][0] = (uint8_t)yes;
	c->to[at][1] = (uint8_t)no;
	c->n++;
	return at;
}

static void
emit_load(struct code *c, size_t offset)
{
	emit(c, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, AHEAD, AHEAD);
}

/* Makes a branch of an instruction go to what comes next. */
static void
land(struct code *c, size_t at, int branch)
{
	uint8_t distance = (uint8_t)(c->n - at - 1);

	c->to[at][branch] = AHEAD;
	if (branch == 0)
		c->ins[at].jt = distance;
	else
		c->ins[at].jf = distance;
}

/* Loads the lower half of an argument; on little-endian machines. */
static void
emit_arg(struct code *c, unsigned i)
{
	emit_load(c, offsetof(struct seccomp_data, args) + (size_t)8 * i);
}

/* Argument i must be one of n values. */
static void
emit_list(struct code *c, unsigned i, const uint32_t *values, size_t n)
{
	emit_arg(c, i);
	for (size_t j = 0; j < n; j++)
		emit(c, BPF_JMP | BPF_JEQ | BPF_K, values[j], ALLOW,
		    j + 1 < n ? AHEAD : PERM);
}

/* Argument i tested against k decides between two acts. */
static void
emit_test(struct code *c, unsigned i, unsigned jump, uint32_t k, enum act yes,
    enum act no)
{
	emit_arg(c, i);
	emit(c, BPF_JMP | jump | BPF_K, k, yes, no);
}

static void
emit_ret(struct code *c, uint32_t verdict)
{
	emit(c, BPF_RET | BPF_K, verdict, AHEAD, AHEAD);
}

static void
emit_act(struct code *c, enum act act)
{
	static const uint32_t cntl[] = {F_GETFD, F_SETFD, F_GETFL, F_SETFL,
	    F_GETPIPE_SZ, F_SETPIPE_SZ, F_GETLK, F_SETLK, F_SETLKW,
	    36 /* F_OFD_GETLK */, 37 /* F_OFD_SETLK */, 38 /* F_OFD_SETLKW */,
	    F_DUPFD_CLOEXEC};
	static const uint32_t ctl[] = {TCGETS, TIOCGWINSZ, FIONREAD};

	switch (act) {
	case NOSYS:
		emit_ret(c, SECCOMP_RET_ERRNO | ENOSYS);
		break;
	case ALLOW:
		emit_ret(c, SECCOMP_RET_ALLOW);
		break;
	case KILL:
		emit_ret(c, SECCOMP_RET_KILL_PROCESS);
		break;
	case ACCES:
		emit_ret(c, SECCOMP_RET_ERRNO | EACCES);
		break;
	case PERM:
		emit_ret(c, SECCOMP_RET_ERRNO | EPERM);
		break;
	case NO_EXEC:
		emit_test(c, 2, BPF_JSET, PROT_EXEC, ACCES, ALLOW);
		break;
	case EMPTY_PATH:
		emit_test(c, 3, BPF_JSET, AT_EMPTY_PATH, ALLOW, ACCES);
		break;
	case OWN:
		emit_test(c, 0, BPF_JEQ, (uint32_t)getpid(), ALLOW, KILL);
		break;
	case THREAD:
		emit_test(
		    c, 0, BPF_JSET, 0x10000 /* CLONE_THREAD */, ALLOW, KILL);
		break;
	case FCNTL:
		emit_list(c, 1, cntl, 6);
		break;
	case FCNTL_LOCK:
		emit_list(c, 1, cntl, sizeof(cntl) / sizeof(*cntl));
		break;
	case IOCTL:
		emit_list(c, 1, ctl, sizeof(ctl) / sizeof(*ctl));
		break;
	case ACTS:
		break;
	}
}

/* Behind the tree, once each: what its jumps, and these, go to. */
static void
emit_acts(struct code *c)
{
	/* From the last on, since an act by an argument goes to a lesser. */
	for (enum act act = ACTS; act-- > 0;) {
		size_t end = c->n;
		bool used = false;

		for (size_t i = 0; i < end; i++)
			for (int branch = 0; branch < 2; branch++)
				if (c->to[i][branch] == act) {
					land(c, i, branch);
					used = true;
				}
		if (used)
			emit_act(c, act);
	}
}

/* Neighbouring numbers with one act, but for some single ones among them. */
#define SINGLES 4
struct range {
	uint32_t first;
	uint8_t act, n;
	struct {
		uint8_t act;
		uint16_t nr;
	} single[SINGLES];
};

/* A rule has two borders at most, and the end has one. */
#define RANGES (2 * sizeof(rules) / sizeof(*rules) + 2)

/*
 * A number whose neighbours agree with one another is told apart by one test,
 * where two borders would take two.
 */
static size_t
fold_singles(struct range *ranges, size_t n)
{
	size_t kept = 1;

	for (size_t i = 1; i < n; i++) {
		struct range *r = &ranges[kept - 1];
		if (i + 1 < n && r->n < SINGLES &&
		    ranges[i + 1].first == ranges[i].first + 1 &&
		    ranges[i + 1].act == r->act) {
			r->single[r->n].nr = (uint16_t)ranges[i].first;
			r->single[r->n++].act = ranges[i].act;
			i++;
		} else {
			ranges[kept++] = ranges[i];
		}
	}
	return kept;
}

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
		ranges[n] = (struct range){.first = nr, .act = acts[nr]};
		n++;
	}
#ifdef __x86_64__
	/* The x32 ABI: the same calls under other numbers. */
	ranges[n] = (struct range){.first = 0x40000000, .act = KILL};
	n++;
#endif
	return fold_singles(ranges, n);
}

/* What is done with the numbers of one range; from, branch: the jump to it. */
static void
emit_range(struct code *c, const struct range *r, size_t from, int branch)
{
	if (r->n == 0) {
		c->to[from][branch] = r->act;
		return;
	}
	land(c, from, branch);
	for (size_t i = 0; i < r->n; i++)
		emit(c, BPF_JMP | BPF_JEQ | BPF_K, r->single[i].nr,
		    r->single[i].act, i + 1 < r->n ? AHEAD : r->act);
}

/*
 * A binary search over the ranges, n > 1.  When a filter is set, the kernel
 * translates it and runs it once for every system call there is: small and
 * flat code makes a short start.
 */
static void
emit_tree(struct code *c, const struct range *ranges, size_t n)
{
	struct {
		size_t lo, hi, from; /* from, branch: the jump to here */
		int branch;
	} todo[16] = {{0, n - 1, 0, 0}}; /* log2 of NR_MAX, and some */
	size_t depth = 1;

	while (depth > 0 && depth < 15 && !c->bad) {
		size_t lo = todo[--depth].lo, hi = todo[depth].hi;
		size_t from = todo[depth].from, mid = (lo + hi + 1) / 2;
		int branch = todo[depth].branch;

		if (lo == hi) {
			emit_range(c, &ranges[lo], from, branch);
			continue;
		}
		if (from > 0)
			land(c, from, branch);
		from = emit(c, BPF_JMP | BPF_JGE | BPF_K, ranges[mid].first,
		    AHEAD, AHEAD);
		todo[depth].lo = mid;
		todo[depth].hi = hi;
		todo[depth].from = from;
		todo[depth++].branch = 0;
		todo[depth].lo = lo;
		todo[depth].hi = mid - 1;
		todo[depth].from = from;
		todo[depth++].branch = 1;
	}
	if (depth > 0)
		c->bad = true;
}

static void
make_filter(struct code *c, unsigned flags)
{
	struct range ranges[RANGES];
	size_t n = make_ranges(ranges, flags);

	c->n = 0;
	c->bad = false;
	emit_load(c, offsetof(struct seccomp_data, arch));
	emit(c, BPF_JMP | BPF_JEQ | BPF_K, ARCH, AHEAD, KILL);
	emit_load(c, offsetof(struct seccomp_data, nr));
	emit_tree(c, ranges, n);
	emit_acts(c);
}

bool
zp_seccomp_enter(unsigned flags)
{
	struct code c;

	make_filter(&c, flags);
	if (c.bad)
		return false;

	/*
	 * The process runs no code of others, so the kernel need not slow it
	 * down against speculation, as old ones do unless told.
	 */
	struct sock_fprog prog = {(unsigned short)c.n, c.ins};
	if (syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER,
		SECCOMP_FILTER_FLAG_SPEC_ALLOW, &prog) == 0)
		return true;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0) == 0)
		return true;
	return false;
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
zp_seccomp_has(void)
{
	return false;
}

#endif

#endif
