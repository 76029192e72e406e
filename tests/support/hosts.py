"""Hosts for tests: each a process and mount namespace of its own on this machine, with its own /etc, /var/lib, /run, /tmp
and name, so that files and paths may be the same on all of them, as on real hosts. They share the network; each has an
address of 127.0.0.0/8.
"""
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess

from cluster import HOWDAH, NETWORK, wait_for

# What a host writes to; /tmp last, for it hides the folder that all of this lies in. /var/run is a link to /run.
OWN = ["/etc", "/var/lib", "/var/log", "/var/spool", "/run", "/usr/local/bin", "/root", "/home", "/tmp"]
# What of it is there from the start.
COPIED = ["/etc"]
# The first process of a host: it reaps what its parents left, for a dead process must not look alive.
INIT = """
import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
print("up", flush=True)
while True:
    signal.sigwait({signal.SIGCHLD})
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
"""
# The hosts of a test lie side by side, and each sees all of them below /mnt.
SCP = """#!/bin/sh
target=/mnt/${2%%:*}${2#*:}
mkdir -p "$(dirname "$target")" && cp -p "$1" "$target"
"""
NAMES = ["pgbackrest", "patroni", "patronictl"]  # Howdah answers to them


def possible():
    """Why this machine can't make hosts; empty if it can."""
    tried = subprocess.run(["unshare", "--mount", "--pid", "--uts", "--fork", "--mount-proc", "true"], capture_output=True,
                           text=True, timeout=10, check=False)
    return tried.stderr.strip()


class Host:
    """`folder`: an empty one of its own, where the host's files lie. Ended by close(), with all that runs on it."""

    def __init__(self, name, number, folder):
        self.name, self.address, self.folder = name, f"{NETWORK}.{number}", pathlib.Path(folder)
        self.init = None
        for own in OWN:
            self.path(own).mkdir(parents=True)
        for copied in COPIED:
            shutil.copytree(copied, self.path(copied), symlinks=True, dirs_exist_ok=True, ignore_dangling_symlinks=True)
        self.path("/tmp").chmod(0o1777)
        for directory in ["/run/postgresql", "/var/lib/postgresql", "/var/lib/pgbackrest", "/var/log/pgbackrest",
                          "/var/spool/pgbackrest", "/home/postgres", "/etc/pgbackrest", "/var/lib/etcd", "/etc/howdah"]:
            self.path(directory).mkdir(parents=True, exist_ok=True)
            shutil.chown(self.path(directory), "postgres", "postgres")
        self.path("/usr/local/bin/howdah").touch()
        for other in NAMES:
            self.path(f"/usr/local/bin/{other}").symlink_to("howdah")
        scp = self.path("/usr/local/bin/scp")
        scp.write_text(SCP)
        scp.chmod(0o755)
        self.boot()

    def path(self, inside):
        """Where a file of the host lies on this machine."""
        return self.folder / inside.lstrip("/")

    def boot(self):
        binds = "".join(f"mount --rbind '{self.path(own)}' {own}\n" for own in OWN)
        # Private: what is mounted here is seen nowhere else, and goes with the last process.
        binds = f"mount --bind '{HOWDAH}' '{self.path('/usr/local/bin/howdah')}'\n" + binds
        binds = f"mount --bind '{self.folder.parent}' /mnt\n" + binds
        script = f"set -e\nmount --make-rprivate /\n{binds}hostname {self.name}\nexec /usr/bin/python3 -c \"$1\""
        self.init = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--uts", "--fork", "--kill-child", "--mount-proc",
                                      "sh", "-c", script, "sh", INIT], stdout=subprocess.PIPE, text=True)
        assert self.init.stdout.readline() == "up\n", f"{self.name} did not boot"
        children = pathlib.Path(f"/proc/{self.init.pid}/task/{self.init.pid}/children")
        self.first = int(wait_for(lambda: children.read_text().split(), f"{self.name} has a first process")[0])

    def words(self, command, user="postgres"):
        return ["nsenter", "--target", str(self.first), "--mount", "--pid", "--uts", "--",
                "setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups",
                "env", "-i", "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin:/usr/lib/postgresql/15/bin", "LC_ALL=C.UTF-8",
                f"HOME={'/root' if user == 'root' else '/home/postgres'}", f"USER={user}", "ETCDCTL_API=3",
                "sh", "-c", f"cd ~ && {command}"]

    def run(self, command, user="postgres", check=True, timeout=120, stdin=""):
        """A shell's command. With &: it goes on by itself."""
        done = subprocess.run(self.words(command, user), capture_output=True, text=True, timeout=timeout, check=False,
                              input=stdin)
        assert not check or done.returncode == 0, (self.name, command, done.returncode, done.stdout, done.stderr)
        return done

    def start(self, command, log, user="postgres"):
        """A daemon; its pid on the host."""
        return int(self.run(f"setsid {command} >{log} 2>&1 </dev/null & echo $!", user).stdout)

    def pids(self, *pattern):
        """Processes of this host whose command line has all these words, by their pid on the host."""
        found = []
        for line in self.run("ps -eo pid=,args=", "root").stdout.splitlines():
            pid, words = line.strip().split(" ", 1)
            if all(word in words for word in pattern) and "ps -eo" not in words:
                found.append(int(pid))
        return found

    def signal(self, number, *pattern):
        for pid in self.pids(*pattern):
            self.run(f"kill -{int(number)} {pid}", "root", check=False)

    def power_off(self):
        """All at once, as when the plug is pulled; the files stay as the kernel has them."""
        if self.init is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.first, signal.SIGKILL)
            self.init.kill()
            self.init.wait(30)
            self.init.stdout.close()
            self.init = None

    def reboot(self):
        self.power_off()
        for volatile in ["/run", "/tmp"]:
            for entry in self.path(volatile).iterdir():
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                else:
                    entry.unlink()
        self.path("/run/postgresql").mkdir()
        shutil.chown(self.path("/run/postgresql"), "postgres", "postgres")
        self.boot()

    def close(self):
        self.power_off()
