"""System call numbers of the machines guests run on, from one table. Pure.

Source: the kernel's own headers, asm/unistd_64.h for x86_64 and asm-generic/unistd.h for aarch64.
"""

from typing import NamedTuple

__all__ = ("MACHINES", "Machine", "find_machine")

# "-": the machine has no such call, or Python there makes another one for it.
_TABLE = """
call                    x86_64  aarch64
read                         0       63
write                        1       64
close                        3       57
fstat                        5       80
poll                         7        -
lseek                        8       62
mmap                         9      222
mprotect                    10      226
munmap                      11      215
brk                         12      214
rt_sigaction                13      134
rt_sigprocmask              14      135
rt_sigreturn                15      139
ioctl                       16       29
pread64                     17       67
pwrite64                    18       68
readv                       19       65
writev                      20       66
pipe                        22        -
select                      23        -
sched_yield                 24      124
mremap                      25      216
madvise                     28      233
dup                         32       23
dup2                        33        -
pause                       34        -
nanosleep                   35      101
getitimer                   36      102
alarm                       37        -
setitimer                   38      103
getpid                      39      172
sendto                      44      206
recvfrom                    45      207
sendmsg                     46      211
recvmsg                     47      212
shutdown                    48      210
socketpair                  53      199
getsockopt                  55      209
clone                       56      220
exit                        60       93
fcntl                       72       25
fsync                       74       82
fdatasync                   75       83
ftruncate                   77       46
getcwd                      79       17
gettimeofday                96      169
getrlimit                   97      163
getrusage                   98      165
getuid                     102      174
getgid                     104      176
geteuid                    107      175
getegid                    108      177
getppid                    110      173
sigaltstack                131      132
prctl                      157      167
gettid                     186      178
time                       201        -
futex                      202       98
sched_getaffinity          204      123
set_tid_address            218       96
restart_syscall            219      128
clock_gettime              228      113
clock_getres               229      114
clock_nanosleep            230      115
exit_group                 231       94
epoll_wait                 232        -
epoll_ctl                  233       21
ppoll                      271       73
set_robust_list            273       99
epoll_pwait                281       22
eventfd2                   290       19
epoll_create1              291       20
dup3                       292       24
pipe2                      293       59
prlimit64                  302      261
getrandom                  318      278
rseq                       334      293
open                         2        -
stat                         4        -
lstat                        6        -
access                      21        -
getdents64                 217       61
openat                     257       56
newfstatat                 262       79
faccessat                  269       48
statx                      332      291
faccessat2                 439      439
fadvise64                  221      223
uname                       63      160
chdir                       80       49
rename                      82        -
mkdir                       83        -
rmdir                       84        -
unlink                      87        -
readlink                    89        -
chmod                       90        -
fchmod                      91       52
umask                       95      166
statfs                     137       43
fstatfs                    138       44
mkdirat                    258       34
unlinkat                   263       35
renameat                   264       38
readlinkat                 267       78
fchmodat                   268       53
utimensat                  280       88
fallocate                  285       47
renameat2                  316      276
tgkill                     234      131
pivot_root                 155       41
close_range                436      436
mount_setattr              442      442
landlock_create_ruleset    444      444
landlock_add_rule          445      445
landlock_restrict_self     446      446
clone3                     435      435
pselect6                   270       72
"""
# AUDIT_ARCH_*: how the kernel names the numbering a call came by.
_ARCHITECTURES = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}
# x86_64 has a second set of numbers for the same calls from here on, the x32 ABI.
_SECOND_SETS = {"x86_64": 0x4000_0000}


class Machine(NamedTuple):
    """One kind of processor, as `platform.machine()` names it."""

    name: str
    architecture: int
    # Calls it has, by name.
    numbers: dict[str, int]
    # The first number of a second set of calls; None where there is none.
    second_set: int | None


def find_machine(name: str) -> Machine:
    """A machine by name.

    Raises:
        OSError: its numbers are not known.
    """
    machine = MACHINES.get(name)
    if machine is None:
        raise OSError(f"the system calls of {name!r} are not known, only {', '.join(MACHINES)}'s")
    return machine


def _read_table() -> dict[str, Machine]:
    header, *rows = (line.split() for line in _TABLE.strip().splitlines())
    return {
        name: Machine(
            name=name,
            architecture=_ARCHITECTURES[name],
            numbers={row[0]: int(row[column]) for row in rows if row[column] != "-"},
            second_set=_SECOND_SETS.get(name),
        )
        for column, name in enumerate(header)
        if column
    }


MACHINES = _read_table()
