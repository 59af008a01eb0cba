"""System calls by number on the two processors that the filter knows, sorted by who may call them."""

from collections.abc import Mapping

# Name, number on x86_64, number on aarch64; "-" where a processor has none. From the kernel's own headers.
_ALLOWED = """
read 0 63, write 1 64, readv 19 65, writev 20 66, pread64 17 67, pwrite64 18 68, preadv 295 69, pwritev 296 70,
preadv2 327 286, pwritev2 328 287, open 2 -, openat 257 56, close 3 57, close_range 436 436, stat 4 -, fstat 5 80,
lstat 6 -, newfstatat 262 79, statx 332 291, lseek 8 62, mmap 9 222, mprotect 10 226, munmap 11 215, mremap 25 216,
madvise 28 233, brk 12 214, msync 26 227, rt_sigaction 13 134, rt_sigprocmask 14 135, rt_sigreturn 15 139,
rt_sigpending 127 136, rt_sigtimedwait 128 137, rt_sigsuspend 130 133, sigaltstack 131 132, ioctl 16 29, access 21 -,
faccessat 269 48, faccessat2 439 439, pipe 22 -, pipe2 293 59, select 23 -, pselect6 270 72, poll 7 -, ppoll 271 73,
epoll_create 213 -, epoll_create1 291 20, epoll_ctl 233 21, epoll_wait 232 -, epoll_pwait 281 22, eventfd 284 -,
eventfd2 290 19, dup 32 23, dup2 33 -, dup3 292 24, sched_yield 24 124, nanosleep 35 101, clock_nanosleep 230 115,
clock_gettime 228 113, clock_getres 229 114, gettimeofday 96 169, time 201 -, times 100 153, getpid 39 172,
gettid 186 178, getppid 110 173, getuid 102 174, geteuid 107 175, getgid 104 176, getegid 108 177, getresuid 118 148,
getresgid 120 150, getgroups 115 158, getpgrp 111 -, getpgid 121 155, getsid 124 156, getrlimit 97 163,
setrlimit 160 164, getrusage 98 165, sysinfo 99 179, getcwd 79 17, chdir 80 49, fchdir 81 50, rename 82 -,
renameat 264 38, renameat2 316 276, mkdir 83 -, mkdirat 258 34, rmdir 84 -, unlink 87 -, unlinkat 263 35, link 86 -,
linkat 265 37, symlink 88 -, symlinkat 266 36, readlink 89 -, readlinkat 267 78, umask 95 166, truncate 76 45,
ftruncate 77 46, fallocate 285 47, fsync 74 82, fdatasync 75 83, fcntl 72 25, getdents 78 -, getdents64 217 61,
statfs 137 43, fstatfs 138 44, copy_file_range 326 285, sendfile 40 71, futex 202 98, set_robust_list 273 99,
set_tid_address 218 96, arch_prctl 158 -, rseq 334 293, exit 60 93, exit_group 231 94, wait4 61 260, waitid 247 95,
getrandom 318 278, sched_getaffinity 204 123, getitimer 36 102, setitimer 38 103, alarm 37 -, pause 34 -,
timerfd_create 283 85, timerfd_settime 286 86, timerfd_gettime 287 87, getcpu 309 168, fadvise64 221 223,
restart_syscall 219 128, sched_get_priority_max 146 125, sched_get_priority_min 147 126
"""

# What the fork server needs and a program may not call.
_SERVER = """
clone 56 220, fork 57 -, vfork 58 -, kill 62 129, tgkill 234 131, unshare 272 97, setns 308 268, setsid 112 157,
setresuid 117 147, setresgid 119 149, setuid 105 146, setgid 106 144, capset 126 91, prctl 157 167,
seccomp 317 277, pidfd_open 434 434, prlimit64 302 261, memfd_create 319 279, recvmsg 47 212
"""

# What a program may call where its file system is its own. Elsewhere no layer would keep it from the user's files (a
# filter sees no paths, and Landlock knows no such right), or it would tell the host's name.
_OF_OWN_FILES = """
chmod 90 -, fchmod 91 52, fchmodat 268 53, utime 132 -, utimes 235 -, utimensat 280 88, uname 63 160
"""

# What no honest program calls: a program that does is killed on the spot. Whatever is named nowhere just fails.
_FORBIDDEN = """
execve 59 221, execveat 322 281, socket 41 198, socketpair 53 199, connect 42 203, accept 43 202, accept4 288 242,
bind 49 200, listen 50 201, sendto 44 206, recvfrom 45 207, sendmsg 46 211, sendmmsg 307 269,
recvmmsg 299 243, ptrace 101 117, process_vm_readv 310 270, process_vm_writev 311 271, tkill 200 130,
rt_sigqueueinfo 129 138, rt_tgsigqueueinfo 297 240, pidfd_send_signal 424 424, pidfd_getfd 438 438, mount 165 40,
umount2 166 39, pivot_root 155 41, chroot 161 51, bpf 321 280, perf_event_open 298 241, keyctl 250 219,
add_key 248 217, request_key 249 218, io_uring_setup 425 425, io_uring_enter 426 426, io_uring_register 427 427,
userfaultfd 323 282, init_module 175 105, finit_module 313 273, delete_module 176 106, kexec_load 246 104,
reboot 169 142, swapon 167 224, swapoff 168 225, sethostname 170 161, setdomainname 171 162, iopl 172 -,
ioperm 173 -, acct 163 89, quotactl 179 60, open_by_handle_at 304 -, name_to_handle_at 303 -, modify_ldt 154 -,
fanotify_init 300 262, shmget 29 194, shmat 30 196, semget 64 190, msgget 68 186, mq_open 240 180,
clock_settime 227 112, settimeofday 164 170, adjtimex 159 171, clock_adjtime 305 266, syslog 103 116,
process_madvise 440 440, open_tree 428 428, move_mount 429 429, fsopen 430 430, fsmount 432 432,
mount_setattr 442 442, lookup_dcookie 212 18, kcmp 312 272
"""

_COLUMNS = {"x86_64": 1, "aarch64": 2}


def _numbers(table: str, machine: str) -> Mapping[str, int]:
    entries = [entry.split() for entry in table.replace("\n", " ").split(",")]
    column = _COLUMNS[machine]
    return {entry[0]: int(entry[column]) for entry in entries if entry[column] != "-"}


def known(machine: str) -> bool:
    """Whether there are numbers for a processor."""
    return machine in _COLUMNS


def allowed(machine: str) -> Mapping[str, int]:
    """What every program may call, by name."""
    return _numbers(_ALLOWED, machine)


def server_only(machine: str) -> Mapping[str, int]:
    """What the fork server may call besides."""
    return _numbers(_SERVER, machine)


def of_own_files(machine: str) -> Mapping[str, int]:
    """What a program may call besides if it has a file system and a host name of its own."""
    return _numbers(_OF_OWN_FILES, machine)


def forbidden(machine: str) -> Mapping[str, int]:
    """What ends a program."""
    return _numbers(_FORBIDDEN, machine)
