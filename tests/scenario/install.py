#!/usr/bin/env python3
"""scripts/install-deps in worlds where packages are missing, and what `make install` puts where."""
import os
import pathlib
import shutil
import subprocess

import tap

SCRIPT = tap.ROOT / "scripts/install-deps"
TOOLS = ("bash", "env", "tail", "mktemp", "rm", "cat")


def world(programs, user="1000"):
    """A folder that is the whole PATH: a few tools, and stand-ins that note how they are called."""
    folder = tap.folder()
    for name in TOOLS:
        (folder / name).symlink_to(shutil.which(name))
    stand_ins = dict(programs, id=f"echo {user}")
    for name, body in stand_ins.items():
        path = folder / name
        path.write_text(f"#!{shutil.which('bash')}\necho {name} \"$@\" >>{folder}/calls\n{body}\n")
        path.chmod(0o755)
    return folder


def install(folder, *args):
    done = subprocess.run([shutil.which("bash"), SCRIPT, *args], env={"PATH": str(folder), "TMPDIR": str(folder)},
                          capture_output=True, text=True, timeout=60)
    calls = folder / "calls"
    lines = calls.read_text().splitlines() if calls.exists() else []
    return done, [line for line in lines if line.startswith("apt-get") or line.startswith("sudo")]


def test_nothing_is_asked_for_when_all_is_there():
    programs = {name: "exit 0" for name in ("gcc", "meson", "ninja", "python3", "pkg-config", "apt-get")}
    done, calls = install(world(programs), "build")
    tap.equal((done.returncode, done.stdout, done.stderr, calls), (0, "", "", []))


def test_root_is_told_and_apt_get_installs_what_is_missing():
    programs = {name: "exit 0" for name in ("gcc", "python3", "pkg-config", "apt-get")}
    done, calls = install(world(programs, user="0"), "build")
    tap.equal(done.returncode, 0, done.stderr)
    tap.equal(done.stderr, "Installing with apt-get: meson ninja-build\n")
    tap.equal(calls, ["apt-get install -y --no-install-recommends meson ninja-build"])


def test_the_package_list_is_fetched_only_when_installing_fails():
    programs = {name: "exit 0" for name in ("gcc", "meson", "python3", "pkg-config")}
    folder = world(programs, user="0")
    (folder / "apt-get").write_text(f"#!{shutil.which('bash')}\necho apt-get \"$1\" >>{folder}/calls\n"
                                    f"[[ $1 == update ]] && : >{folder}/updated\n[[ -e {folder}/updated ]]\n")
    (folder / "apt-get").chmod(0o755)
    done, calls = install(folder, "build")
    tap.equal((done.returncode, calls), (0, ["apt-get install", "apt-get update", "apt-get install"]))


def test_without_root_the_command_is_named():
    done, calls = install(world({"gcc": "exit 0", "apt-get": "exit 0"}), "build")
    tap.equal((done.returncode, calls), (1, []))
    tap.contains(done.stderr, "As root: apt-get install --no-install-recommends meson ninja-build pkg-config")


def test_with_sudo_it_is_used():
    programs = {name: "exit 0" for name in ("gcc", "meson", "python3", "pkg-config", "apt-get", "sudo")}
    done, calls = install(world(programs), "build")
    tap.equal((done.returncode, calls), (0, ["sudo apt-get install -y --no-install-recommends ninja-build"]))


def test_elsewhere_than_on_debian_the_names_are_said():
    done, _ = install(world({"gcc": "exit 0"}), "build")
    tap.equal(done.returncode, 1)
    tap.contains(done.stderr, "This is no Debian")


def test_a_network_that_is_away_is_said():
    done, _ = install(world({"gcc": "exit 0", "apt-get": "echo cannot resolve; exit 100"}, user="0"), "build")
    tap.equal(done.returncode, 1)
    tap.contains(done.stderr, "cannot resolve")
    tap.contains(done.stderr, "Is there a network?")


def test_check_only_tells():
    done, calls = install(world({"apt-get": "exit 0"}, user="0"), "--check", "build")
    tap.equal((done.returncode, calls), (1, []))
    tap.contains(done.stderr, "scripts/install-deps build")
    tap.equal(install(world({}), "everything")[0].returncode, 2)
    tap.equal(install(world({}))[0].returncode, 2)


def test_what_is_installed_works():
    if not shutil.which("meson"):
        raise tap.Skip("meson is not here")
    destination = tap.folder()
    subprocess.run(["meson", "install", "-C", str(tap.BUILD), "--no-rebuild", "--quiet", "--destdir", str(destination)],
                   check=True, capture_output=True, timeout=120)
    files = {str(f.relative_to(destination)) for f in destination.rglob("*") if f.is_file()}
    for name in ("bin/wherry", "share/man/man1/wherry.1", "share/bash-completion/completions/wherry",
                 "share/zsh/site-functions/_wherry", "share/fish/vendor_completions.d/wherry.fish",
                 "lib/systemd/system/wherry@.service"):
        assert any(f.endswith(name) for f in files), f"{name} is not among {sorted(files)}"
    program = next(destination.rglob("bin/wherry"))
    done = subprocess.run([program, "--version"], capture_output=True, text=True)
    assert done.stdout.startswith("wherry "), done
    unit = next(destination.rglob("wherry@.service")).read_text()
    tap.contains(unit, f"ExecStart=/{program.relative_to(destination)} up")


tap.run()
