#!/usr/bin/env python3
"""contrib/container/Containerfile beside what it is made of: the program's libraries, the tree, scripts/install-deps."""
import os
import pathlib
import re
import shutil
import subprocess

import tap
from project import only_release

CONTAINERFILE = tap.ROOT / "contrib/container/Containerfile"
DEBIAN = "12"
# Not libraries: whom TLS trusts, and the rules of time zones.
DATA = {"ca-certificates", "tzdata"}


def instructions():
    """(stage, word, rest) of each instruction, continued lines joined."""
    stage, found = 0, []
    text = re.sub(r"^#.*\n", "", CONTAINERFILE.read_text(), flags=re.M)
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        if line.strip():
            word, _, rest = line.partition(" ")
            stage += word == "FROM"
            found.append((stage, word, rest))
    return found


def only(word, stage=2):
    found = [rest for at, name, rest in instructions() if at == stage and name == word]
    tap.equal(len(found), 1, word)
    return found[0]


def installed():
    line = next(rest for at, word, rest in instructions() if at == 2 and "apt-get install" in rest)
    words = re.search(r"install -y --no-install-recommends ([^&]+)", line).group(1).split()
    tap.equal(words, sorted(words))
    return set(words)


def library_packages():
    """Debian's packages of what the program is linked to, but for the C library."""
    if not shutil.which("dpkg-query") or "libasan" in (listed := subprocess.run(
            ["ldd", str(tap.WHERRY)], capture_output=True, text=True).stdout):
        raise tap.Skip("the program is not linked as Debian's gcc links it")
    release = pathlib.Path("/etc/os-release").read_text()
    if f'VERSION_ID="{DEBIAN}"' not in release:
        raise tap.Skip(f"this is no Debian {DEBIAN}, whose packages have other names")
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]",
                        subprocess.run(["readelf", "-dW", str(tap.WHERRY)], capture_output=True, text=True).stdout)
    paths = dict(re.findall(r"^\s*(\S+) => (\S+)", listed, re.M))
    packages = {package_of(paths.get(name, name)) for name in needed if not re.match(r"lib(c|m)\.so|ld-linux", name)}
    assert len(packages) > 10, packages
    return packages


def package_of(path):
    """Files of before Debian's /usr merge are known by their path without /usr."""
    real = os.path.realpath(path)
    for name in (real, real.removeprefix("/usr")):
        done = subprocess.run(["dpkg-query", "-S", name], capture_output=True, text=True)
        if done.returncode == 0:
            return done.stdout.partition(":")[0]
    raise tap.Skip(f"{real} is of no package")


def loaded_packages():
    """What the source loads itself; the message beside each dlopen names its package."""
    source = "".join(p.read_text() for p in (tap.ROOT / "src").rglob("*.c"))
    source = re.sub(r'"\s*\n\s*"', "", source)
    loads = set(re.findall(r'dlopen\("([^"]+)"', source))
    named = dict(re.findall(r"\((lib[\w.]+)\)[^\"]*Debian has it as (\w+)", source))
    assert loads and loads == set(named), (loads, named)
    return set(named.values())


def test_the_runtime_has_the_libraries_of_the_program_and_no_others():
    only_release()
    tap.equal(installed(), library_packages() | loaded_packages() | DATA)


def test_the_build_takes_its_packages_from_install_deps():
    runs = [rest for at, word, rest in instructions() if at == 1 and word == "RUN"]
    tap.equal(runs[0], "scripts/install-deps build")
    assert not any("apt" in run for run in runs), runs


def test_what_is_copied_is_there_and_suffices():
    copied = {path for at, word, rest in instructions() if at == 1 and word == "COPY" for path in rest.split()[:-1]}
    for path in copied:
        assert (tap.ROOT / path).exists(), path
    read = set(re.findall(r"^subdir\('(\w+)", (tap.ROOT / "meson.build").read_text(), re.M))
    assert read <= copied, read - copied
    folder = tap.folder()
    for path in copied:
        copy = shutil.copytree if (tap.ROOT / path).is_dir() else shutil.copy
        copy(tap.ROOT / path, folder / path)
    flags = re.search(r'MESON_ARGS="([^"]*)"', CONTAINERFILE.read_text()).group(1).split()
    if not shutil.which("meson"):
        raise tap.Skip("meson is not here")
    done = subprocess.run(["meson", "setup", *flags, str(folder / "build"), str(folder)], capture_output=True, text=True,
                          timeout=300)
    tap.equal(done.returncode, 0, done.stdout[-2000:] + done.stderr)
    plan = subprocess.run(["meson", "introspect", "--installed", str(folder / "build")], capture_output=True, text=True)
    assert "/usr/bin/wherry" in plan.stdout and ".service" not in plan.stdout, plan.stdout


def test_it_runs_as_nobody_special_and_stops_as_a_service_does():
    user = only("USER").partition(":")[0]
    assert int(user) >= 10000, user
    tap.contains(" ".join(rest for at, word, rest in instructions() if word == "RUN"), f"useradd --uid {user} ")
    tap.equal((only("ENTRYPOINT"), only("CMD"), only("STOPSIGNAL")), ('["wherry"]', '["up"]', "SIGTERM"))
    health = re.search(r'CMD (\[.*\])', only("HEALTHCHECK")).group(1)
    tap.equal(health, '["wherry", "status"]')


def test_no_registry_is_named():
    for _, word, rest in instructions():
        if word == "FROM":
            assert "/" not in rest.split()[0], rest
            assert rest.split()[0] == "debian:bookworm-slim", rest


tap.run()
