"""The order of steps that confine a process, as a recording kernel sees them."""

import os
import resource
import struct
from pathlib import Path

import pytest
from tests.sandbox.guest.recording import RecordingKernel, make_proc

from toolweft.sandbox.guest import landlock, lockdown, namespaces
from toolweft.sandbox.guest.limits import Limits
from toolweft.sandbox.guest.lockdown import CAPABILITIES, LANDLOCK, NAMESPACES, SECCOMP

LIMITS = Limits(memory_bytes=1 << 50, disk_bytes=4096, max_files=64, max_threads=16)


def lock(kernel, layers, proc_fd=-1, **changes):
    library = str(Path(os.__file__).parent)
    lockdown.lock_down(kernel, layers, LIMITS, readable=[library], proc_fd=proc_fd, **changes)


def test_without_namespaces_landlock_comes_before_the_filter_and_after_no_new_privileges():
    kernel = RecordingKernel()
    lock(kernel, {CAPABILITIES, LANDLOCK, SECCOMP})
    names = [name for name in kernel.names if name != "landlock_allow"]
    assert names == [
        "drop_capabilities",
        "die_with_parent",
        "forbid_new_privileges",
        "landlock_create",
        "landlock_restrict",
        "install_filter",
    ]


def test_the_parent_s_death_is_bound_after_the_last_change_of_credentials():
    kernel = RecordingKernel()
    lock(kernel, {CAPABILITIES})
    assert kernel.names.index("drop_capabilities") < kernel.names.index("die_with_parent")


def test_the_filter_names_no_path_unless_it_is_told_to():
    kernel = RecordingKernel()
    lock(kernel, {SECCOMP, LANDLOCK})
    ((_name, closed),) = [call for call in kernel.calls if call[0] == "install_filter"]
    kernel = RecordingKernel()
    lock(kernel, {SECCOMP, LANDLOCK}, file_calls="read")
    ((_name, reading),) = [call for call in kernel.calls if call[0] == "install_filter"]
    assert len(closed) < len(reading)


def test_landlock_names_what_it_handles_by_abi():
    assert landlock.build_attributes(1) == struct.pack("Q", (1 << 13) - 1)
    assert landlock.build_attributes(3) == struct.pack("Q", (1 << 15) - 1)
    assert landlock.build_attributes(4) == struct.pack("QQ", (1 << 15) - 1, 3)
    assert landlock.build_attributes(5) == struct.pack("QQ", (1 << 16) - 1, 3)
    assert landlock.build_attributes(7) == struct.pack("QQQ", (1 << 16) - 1, 3, 3)


def test_landlock_gives_no_path_the_right_to_write_but_devices(tmp_path):
    kernel = RecordingKernel()
    file = tmp_path / "file"
    file.touch()
    landlock.restrict_files(
        kernel,
        readable=[str(tmp_path), str(file), str(tmp_path / "absent")],
        devices=["/dev/null"],
    )
    rights = [call[2] for call in kernel.calls if call[0] == "landlock_allow"]
    execute, write, read, list_folder = 1, 2, 4, 8
    assert rights == [execute | read | list_folder, execute | read, read | write]


@pytest.mark.parametrize(
    ("abi", "moves", "truncates"), [(1, False, False), (2, True, False), (6, True, True)]
)
def test_a_scratch_folder_may_be_changed_as_far_as_the_kernel_tells_rights_apart(
    tmp_path, abi, moves, truncates
):
    kernel = RecordingKernel(abi=abi)
    landlock.restrict_files(kernel, readable=[], devices=[], writable=[str(tmp_path)])
    ((_name, _ruleset, rights, _fd),) = [
        call for call in kernel.calls if call[0] == "landlock_allow"
    ]
    write, read, make_file, execute, make_socket, make_link = 2, 4, 1 << 8, 1, 1 << 9, 1 << 12
    assert rights & (write | read | make_file) == write | read | make_file
    assert not rights & (execute | make_socket | make_link)
    assert bool(rights & 1 << 13) is moves
    assert bool(rights & 1 << 14) is truncates


def test_a_guest_with_a_scratch_folder_works_in_it_and_may_change_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    kernel = RecordingKernel()
    layers = {lockdown.SCRATCH_FOLDER, SECCOMP, LANDLOCK}
    lock(kernel, layers, file_calls="change", scratch=str(tmp_path))
    assert Path.cwd() == tmp_path / "work"
    ((_name, changing),) = [call for call in kernel.calls if call[0] == "install_filter"]
    kernel = RecordingKernel()
    lock(kernel, {SECCOMP, LANDLOCK}, file_calls="read")
    ((_name, reading),) = [call for call in kernel.calls if call[0] == "install_filter"]
    assert len(changing) > len(reading)


def test_a_kernel_without_landlock_is_an_error_not_a_weaker_lock():
    with pytest.raises(OSError, match="no Landlock"):
        landlock.restrict_files(RecordingKernel(abi=0), readable=[], devices=[])


def test_limits_cover_memory_files_sizes_and_cores():
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    pid = os.fork()
    if pid == 0:
        lockdown.set_limits(Limits(1 << 40, 1 << 30, 32, 4))
        held = (
            resource.getrlimit(resource.RLIMIT_AS) == (1 << 40, 1 << 40)
            and resource.getrlimit(resource.RLIMIT_FSIZE) == (1 << 30, 1 << 30)
            and resource.getrlimit(resource.RLIMIT_NOFILE) == (32, 32)
            and resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)
        )
        os._exit(0 if held else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert resource.getrlimit(resource.RLIMIT_CORE) == (soft, hard)


def test_limits_are_read_from_a_request():
    request = {"memory_bytes": 1, "disk_bytes": 2, "max_files": 3, "max_threads": 4}
    assert Limits.from_dict(request) == (1, 2, 3, 4)


def test_a_session_gets_its_identity_then_a_scratch_folder_with_caps(tmp_path):
    proc = make_proc(tmp_path / "proc")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    before = Path.cwd()
    kernel = RecordingKernel()
    try:
        namespaces.enter_session(
            kernel, os.open(proc, os.O_RDONLY), scratch_bytes=4096, scratch=str(scratch)
        )
        assert Path.cwd() == scratch / "work"
    finally:
        os.chdir(before)
    ((_name, _source, target, data, flags, kind),) = kernel.calls
    assert target == str(scratch)
    assert data == ("data", "size=4096,nr_inodes=4096,mode=0755")
    assert flags == ("flags", 2 | 4 | 8)
    assert kind == ("kind", "tmpfs")
    assert (proc / "self/uid_map").read_text() == "1000 1000 1"
    assert (proc / "self/setgroups").read_text() == "deny"


def test_the_root_holds_python_at_a_neutral_path_and_hides_installed_packages(tmp_path):
    library = tmp_path / "host/lib/python3.11"
    (library / "site-packages").mkdir(parents=True)
    interpreter = tmp_path / "host/bin/python3.11"
    interpreter.parent.mkdir()
    interpreter.touch()
    binds = namespaces.plan_binds(
        interpreter=str(interpreter),
        standard_library=str(library),
        shared_libraries=[str(tmp_path / "host/lib/libpython3.11.so.1.0")],
        guest=str(tmp_path),
    )
    targets = [bind.target for bind in binds]
    assert "/opt/python/bin/python3.11" in targets
    assert "/opt/python/lib/libpython3.11.so.1.0" in targets
    assert all(str(tmp_path) not in target for target in targets)
    assert "/opt/python/lib/python3.11/site-packages" in namespaces.masked_folders(binds)


def test_the_root_is_built_read_only_in_a_private_mount_namespace(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "file").touch()
    (source / "link").symlink_to("file")
    site = tmp_path / "site"
    (site / "opt/python3.11/site-packages").mkdir(parents=True)
    kernel = RecordingKernel()
    namespaces.build_root(
        kernel,
        [
            namespaces.Bind(str(source), "/opt/python3.11"),
            namespaces.Bind(str(source / "file"), "/etc/file"),
            namespaces.Bind(str(source / "link"), "/lib"),
            namespaces.Bind(str(source / "absent"), "/absent"),
            namespaces.Bind("/dev/null", "/dev/null", is_device=True),
        ],
        hostname="sandbox",
        site=str(site),
        proc=str(make_proc(tmp_path / "proc")),
    )
    assert kernel.names[:4] == ["unshare", "set_hostname", "mount", "mount"]
    assert kernel.calls[2] == ("mount", "none", "/", ("flags", 16384 | 1 << 18))
    assert kernel.names[-2:] == ["enter_root", "set_mount_flags"]
    assert kernel.calls[-1] == ("set_mount_flags", "/", 1)
    assert (site / "lib").readlink() == Path("file")
    assert not (site / "absent").exists()
    flags = {
        call[1].removeprefix(str(site)): call[2]
        for call in kernel.calls
        if call[0] == "set_mount_flags"
    }
    read_only, no_devices, no_exec = 1, 4, 8
    assert all(flag & read_only for flag in flags.values())
    assert flags["/etc/file"] & no_devices
    assert flags["/dev/null"] & no_exec
    assert "/opt/python3.11/site-packages" in flags


def test_namespaces_are_entered_before_anything_is_dropped(tmp_path):
    # The scratch folder is the real one here, so only the first step is looked at.
    proc = make_proc(tmp_path / "proc")
    (proc / "self/uid_map").unlink()
    kernel = RecordingKernel()
    with pytest.raises(FileNotFoundError):
        lock(kernel, {NAMESPACES, CAPABILITIES}, os.open(proc, os.O_RDONLY))
    assert kernel.calls == []
