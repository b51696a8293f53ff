#!/usr/bin/env python3
"""`wherry init --ci github`: where it writes, and whether the workflow does what it says. Its steps are run here
with stand-ins for git, ssh and gh; GitHub itself is not."""
import json
import os
import pathlib
import re
import shutil
import subprocess

import tap

WORKFLOW = ".github/workflows/wherry.yml"
SOURCE = tap.ROOT / "src/cli/ci/github.yml"
# What somebody outside may write: titles, names of branches, messages. None of it is for a shell.
TRUSTED = re.compile(r"github\.(token|repository|event\.pull_request\.number)|vars\.\w+|secrets\.\w+|steps\.plan\.outcome")


def wherry(folder, *args, code=0):
    done = subprocess.run([str(tap.WHERRY), *args], cwd=folder, capture_output=True, text=True, timeout=120,
                          env=dict(os.environ, HOME=str(folder), WHERRY_KEY_FILE=str(folder / "key")))
    tap.equal(done.returncode, code, done.stdout + done.stderr)
    return done


# --- where it writes -----------------------------------------------------------------------------

def test_it_is_added_to_a_project_and_replaces_nothing():
    folder = tap.folder()
    wherry(folder, "init", "empty", "shop")
    before = (folder / "shop/wherry.yaml").read_bytes()
    done = wherry(folder, "init", "--ci", "github", "shop/")
    tap.contains(done.stderr, f"Created shop/{WORKFLOW}")
    tap.contains(done.stderr, f"Next: git add {WORKFLOW}")
    written = folder / "shop" / WORKFLOW
    tap.equal(written.read_bytes(), SOURCE.read_bytes())
    written.write_text("mine")
    tap.contains(wherry(folder / "shop", "init", "--ci", "github", code=2).stderr, "is there already. To replace it: --force")
    tap.equal(written.read_text(), "mine")
    wherry(folder / "shop", "init", "--ci", "github", "--force")
    tap.equal(written.read_bytes(), SOURCE.read_bytes())
    tap.equal((folder / "shop/wherry.yaml").read_bytes(), before)


def test_it_comes_with_a_new_project():
    folder = tap.folder()
    told = json.loads(wherry(folder, "init", "empty", "shop", "--ci", "github", "--json").stdout)
    tap.equal(told, {"folder": "shop", "template": "empty", "files": ["wherry.yaml", ".gitignore", WORKFLOW]})
    tap.equal((folder / "shop" / WORKFLOW).read_bytes(), SOURCE.read_bytes())
    wherry(folder / "shop", "check")
    told = json.loads(wherry(folder / "shop", "init", "--ci", "github", "--force", "--json").stdout)
    tap.equal(told, {"folder": ".", "files": [WORKFLOW]})
    wherry(folder, "init", "--ci", "github", "empty")  # no such folder: the template's name
    tap.equal(sorted(f.name for f in (folder / "empty").iterdir()), [".github", ".gitignore", "wherry.yaml"])


def test_what_cannot_be_meant_is_refused():
    folder = tap.folder()
    for args, text in [(("--ci", "gitlab"), "--ci has no 'gitlab'. There is: github"),
                       (("--ci", "github"), "there is no wherry.yaml here"),
                       (("--ci", "github", "nowhere"), "no template 'nowhere'"),
                       (("empty", "x", "--force"), "--force replaces what --ci writes")]:
        tap.contains(wherry(folder, "init", *args, code=2).stderr, text)
    tap.equal(list(folder.iterdir()), [])


# --- what it says --------------------------------------------------------------------------------

def steps():
    """{job: [(name, {variable: expression}, script)]}: the steps with a `run`, read by their indentation."""
    jobs, job = {}, None
    lines = SOURCE.read_text().split("jobs:\n")[1].splitlines()
    for at, line in enumerate(lines):
        if named := re.match(r"  (\w+):$", line):
            jobs[job := named.group(1)] = []
        elif named := re.match(r"      - name: (.*)$", line):
            jobs[job].append([named.group(1), {}, None])
        elif variable := re.match(r"          ([A-Z_]+): \$\{\{ (.*) \}\}$", line):
            jobs[job][-1][1][variable.group(1)] = variable.group(2)
        elif line == "        run: |":
            body = []
            for inner in lines[at + 1:]:
                if inner and not inner.startswith(" " * 10):
                    break
                body.append(inner[10:])
            jobs[job][-1][2] = "\n".join(body) + "\n"
    tap.equal({name: [s[0] for s in found] for name, found in jobs.items()},
              {"check": ["Wherry", "Check"], "plan": ["Wherry", "Plan", "Comment"], "deploy": ["Deploy"]})
    return jobs


def script(job, name):
    return next(body for step, _, body in steps()[job] if step == name)


def test_it_is_yaml_with_least_rights():
    try:
        import yaml
    except ImportError:
        raise tap.Skip("PyYAML is not here")
    workflow = yaml.safe_load(SOURCE.read_text())
    tap.equal(workflow["permissions"], {})
    rights = {name: job["permissions"] for name, job in workflow["jobs"].items()}
    tap.equal(rights, {"check": {"contents": "read"}, "plan": {"contents": "read", "pull-requests": "write"},
                       "deploy": {"contents": "read"}})
    triggers = workflow[True]  # YAML 1.1 reads `on` so
    tap.equal(set(triggers), {"pull_request", "push"}, "pull_request_target would give forks our rights")
    for job in workflow["jobs"].values():
        for step in job["steps"]:
            if "uses" in step:
                assert re.fullmatch(r"actions/checkout@v\d+\.\d+\.\d+", step["uses"]), step
                tap.equal(step["with"], {"persist-credentials": False})
    assert "environment" not in workflow["jobs"]["plan"], "a pull request gets no secret of an environment"


def test_no_expression_stands_in_a_script():
    for job, found in steps().items():
        for name, env, body in found:
            assert "${{" not in body, f"{job}/{name}: an expression in a script is pasted into it"
            for variable, expression in env.items():
                assert TRUSTED.fullmatch(expression), f"{job}/{name}: {variable} is {expression}"


def test_both_jobs_get_the_program_alike():
    tap.equal(script("check", "Wherry"), script("plan", "Wherry"))


def test_every_variable_is_named_at_its_top():
    text = SOURCE.read_text()
    used = {name for name in re.findall(r"(?:vars|secrets)\.(\w+)", text)}
    tap.equal(used, set(re.findall(r"^#   ([A-Z_]+) ", text, re.M)))
    guide = (tap.ROOT / "docs/guide/ci.md").read_text()
    for name in used:
        tap.contains(guide, f"`{name}`")


def test_a_linter_for_workflows_has_nothing_to_say():
    linter = shutil.which("actionlint")
    if not linter:
        raise tap.Skip("actionlint is not here")
    done = subprocess.run([linter, str(SOURCE)], capture_output=True, text=True, timeout=60)
    tap.equal((done.returncode, done.stdout), (0, ""))


def test_a_linter_for_shells_has_nothing_to_say():
    checker = shutil.which("shellcheck")
    for job, found in steps().items():
        for name, _, body in found:
            body = "set -eo pipefail\n" + body  # as the runner does
            done = subprocess.run(["bash", "-n"], input=body, capture_output=True, text=True)
            tap.equal((done.returncode, done.stderr), (0, ""), f"{job}/{name}")
            if checker:
                done = subprocess.run([checker, "--shell=bash", "-"], input=body, capture_output=True, text=True, timeout=60)
                tap.equal(done.stdout, "", f"{job}/{name}")
    if not checker:
        raise tap.Skip("bash has; shellcheck is not here")


# --- what its steps do ---------------------------------------------------------------------------

class Runner:
    """A checkout of a project as a runner has it, and stand-ins on its PATH that note how they are called."""

    def __init__(self, files=()):
        self.top = tap.folder()
        for name in ("bin", "temp", "checkout"):
            (self.top / name).mkdir()
        self.project = self.top / "checkout"
        wherry(self.project, "init", "order-status", ".")
        for name, text in dict(files).items():
            (self.project / name).write_text(text)
        self.env = {"PATH": f"{self.top}/bin:/usr/bin:/bin", "HOME": str(self.project), "RUNNER_TEMP": str(self.top / "temp"),
                    "GITHUB_PATH": str(self.top / "path"), "ENVIRONMENT": "prod", "TOP": str(self.top),
                    "WHERRY_KEY_FILE": str(self.project / "key")}

    def stand_in(self, name, body):
        path = self.top / "bin" / name
        path.write_text(f"#!/bin/bash\nprintf '%s\\n' \"{name} $*\" >>\"$TOP/calls\"\n{body}\n")
        path.chmod(0o755)

    def has_wherry(self):
        (self.top / "bin/wherry").symlink_to(tap.WHERRY)
        return self

    def step(self, job, name, code=0, **env):
        """As a runner runs a step with `shell: bash`."""
        done = subprocess.run(["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script(job, name)],
                              cwd=self.project, env=dict(self.env, **env), capture_output=True, text=True, timeout=120)
        tap.equal(done.returncode, code, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def calls(self):
        path = self.top / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def temp(self, name):
        return self.top / "temp" / name


def test_a_runner_that_has_the_program_builds_none():
    runner = Runner().has_wherry()
    runner.step("check", "Wherry", SOURCE="", COMMIT="")


def test_one_that_has_not_builds_the_commit_that_was_named():
    runner = Runner()
    source = runner.top / "source"
    (source / "scripts").mkdir(parents=True)
    for name, body in [("install-deps", 'echo "$@" >"$TOP/installed"'),
                       ("build", "mkdir -p build/src/cli; printf '#!/bin/sh\\necho built\\n' >build/src/cli/wherry\n"
                                 'chmod +x build/src/cli/wherry; echo "$@" >"$TOP/asked"')]:
        (source / "scripts" / name).write_text(f"#!/bin/bash\n{body}\n")
        (source / "scripts" / name).chmod(0o755)

    def git(*args):
        return subprocess.run(["git", "-c", "user.name=x", "-c", "user.email=x@example.org", "-C", str(source), *args],
                              check=True, capture_output=True, text=True).stdout.strip()
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "one")
    git("tag", "v1")
    tap.contains(runner.step("check", "Wherry", code=1, SOURCE="", COMMIT="v1"), "set the variable WHERRY_SOURCE")
    tap.contains(runner.step("check", "Wherry", code=1, SOURCE=str(source), COMMIT=""), "set the variable WHERRY_COMMIT")
    runner.step("plan", "Wherry", SOURCE=f"file://{source}", COMMIT="v1")
    built = pathlib.Path((runner.top / "path").read_text().strip()) / "wherry"
    tap.equal(subprocess.run([built], capture_output=True, text=True).stdout, "built\n")
    tap.equal([(runner.top / name).read_text() for name in ("installed", "asked")], ["build\n", "build program\n"])


def test_a_configuration_that_is_wrong_fails_the_check():
    runner = Runner().has_wherry()
    tap.contains(runner.step("check", "Check", ENVIRONMENT="staging"), "in order")
    runner = Runner({"wherry.staging.yaml": "pipelinse: {}\n"}).has_wherry()
    runner.step("check", "Check", ENVIRONMENT="prod")
    tap.contains(runner.step("check", "Check", code=2, ENVIRONMENT="staging"), "wherry.staging.yaml:1")


def test_the_plan_has_no_value_of_a_row():
    runner = Runner().has_wherry()
    said = runner.step("plan", "Plan", ENVIRONMENT="staging")
    tap.contains(said, "crosses   OrderNumber")
    assert "SO0000001" not in said, said
    tap.contains(wherry(runner.project, "plan").stdout, "SO0000001")  # which is there to be left out
    tap.equal(runner.temp("plan.txt").read_text(), said)
    lines = wherry(runner.project, "plan", "--no-sample", "--json").stdout
    assert '"crosses":[{' in lines and '"sample"' not in lines, lines


def test_a_plan_that_fails_fails_its_step_and_is_kept():
    runner = Runner({"wherry.prod.yaml": "connections: { erp: { path: /nowhere/erp.db } }\n"}).has_wherry()
    said = runner.step("plan", "Plan", code=1)
    tap.contains(runner.temp("plan.txt").read_text(), "/nowhere/erp.db")
    tap.equal(runner.temp("plan.txt").read_text(), said)


COMMENT = {"GH_TOKEN": "t", "REPOSITORY": "acme/shop", "NUMBER": "7", "OUTCOME": "success"}
GH = """
if [[ $* == *--paginate* ]]; then
  printf '%s' "$COMMENTS" | python3 -c 'import json, sys
for c in json.load(sys.stdin):
    if c["user"]["login"] == "github-actions[bot]" and c["body"].startswith("<!-- wherry plan -->"): print(c["id"])'
fi
"""


def comment(runner, plan, comments):
    runner.stand_in("gh", GH)
    runner.temp("plan.txt").write_text(plan)
    runner.step("plan", "Comment", COMMENTS=json.dumps(comments), **COMMENT)
    return runner.calls()[-1], runner.temp("comment.md").read_text()


def a_comment(number, login, body):
    return {"id": number, "user": {"login": login}, "body": body}


def test_the_first_plan_is_a_new_comment():
    runner = Runner()
    call, body = comment(runner, "export-orders   erp:x -> lake:y\n  when      by hand\n", [
        a_comment(1, "somebody", "<!-- wherry plan -->\nmine"), a_comment(2, "github-actions[bot]", "another")])
    tap.equal(call, f"gh api --silent repos/acme/shop/issues/7/comments -F body=@{runner.temp('comment.md')}")
    tap.equal(body, "<!-- wherry plan -->\n**wherry plan** for prod: success\n\n"
                    "    export-orders   erp:x -> lake:y\n      when      by hand\n")


def test_the_next_one_replaces_it():
    bot = "github-actions[bot]"
    call, _ = comment(Runner(), "x\n", [a_comment(5, bot, "<!-- wherry plan -->\nold"),
                                        a_comment(6, bot, "<!-- wherry plan -->\nolder")])
    tap.contains(call, "--method PATCH repos/acme/shop/issues/comments/5 -F")


def test_a_large_plan_is_cut_and_none_breaks_out_of_its_block():
    _, body = comment(Runner(), "```\n<b>x</b>\n" + "é" * 100 + "\n" + "a line of a plan\n" * 9000, [])
    assert 50_000 < len(body.encode()) < 65_536, len(body)
    tap.equal(body.splitlines()[-1], "    ...")
    for line in body.splitlines()[3:]:
        assert line.startswith("    "), line


def test_the_comments_are_chosen_by_the_filter_that_gh_gets():
    # The stand-in above has the filter's meaning, not its text.
    if not shutil.which("jq"):
        raise tap.Skip("jq is not here")
    text = re.search(r"--jq \\\n\s*'(.*)'\)", script("plan", "Comment")).group(1)
    comments = [a_comment(1, "somebody", "<!-- wherry plan -->"), a_comment(2, "github-actions[bot]", "x"),
                a_comment(3, "github-actions[bot]", "<!-- wherry plan -->\nx")]
    done = subprocess.run(["jq", text], input=json.dumps(comments), capture_output=True, text=True)
    tap.equal((done.stdout, done.stderr), ("3\n", ""))


DEPLOY = {"KEY": "-----KEY-----", "KNOWN_HOSTS": "machine ssh-ed25519 AAAA", "TO": "deploy@machine", "PROJECT": "shop"}
SSH = """
[[ $(cat "$RUNNER_TEMP/key") == "$KEY" && $(stat -c %a "$RUNNER_TEMP/key") == 600 ]] || exit 3
remote=${*: -1}
case $remote in
  *"tar -x"*) bash -c "${remote//\\/var\\/lib\\/wherry/$TOP/machine}" ;;
  *systemctl*) exit "${RESTART:-0}" ;;
esac
"""


def deployable():
    runner = Runner()
    runner.stand_in("ssh", SSH)
    wherry(runner.project, "init", "--ci", "github")
    for args in (("init", "-q"), ("add", "-A"), ("-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "-qm", "x")):
        subprocess.run(["git", *args], cwd=runner.project, check=True, capture_output=True, env=runner.env)
    there = runner.top / "machine/shop"
    (there / ".wherry").mkdir(parents=True)
    (there / ".wherry/ledger.db").write_text("the machine's")
    (there / "wherry.yaml").write_text("old")
    return runner, there


def test_a_deployment_sends_what_is_versioned_and_restarts():
    runner, there = deployable()
    runner.step("deploy", "Deploy", **DEPLOY)
    tap.equal((there / "wherry.yaml").read_bytes(), (runner.project / "wherry.yaml").read_bytes())
    tap.equal((there / ".wherry/ledger.db").read_text(), "the machine's")
    assert (there / "wherry.prod.yaml").exists()
    assert not (there / "erp.db").exists() and not (there / ".github").exists(), list(there.iterdir())
    send, restart = runner.calls()
    tap.contains(send, "-o StrictHostKeyChecking=yes")
    tap.contains(restart, "-- deploy@machine sudo -n systemctl restart wherry@shop")
    assert not runner.temp("key").exists()


def test_a_service_that_does_not_come_up_fails_the_deployment():
    runner, _ = deployable()
    runner.step("deploy", "Deploy", code=1, RESTART="1", **DEPLOY)
    assert not runner.temp("key").exists()


def test_what_a_deployment_lacks_is_named():
    runner, there = deployable()
    for variable in DEPLOY:
        said = runner.step("deploy", "Deploy", code=1, **dict(DEPLOY, **{variable: ""}))
        tap.contains(said, f"DEPLOY_{variable} of prod")
    for name in ("../etc", "a b", "x;reboot", "-x"):
        tap.contains(runner.step("deploy", "Deploy", code=1, **dict(DEPLOY, PROJECT=name)), "wherry@NAME.service")
    tap.equal((runner.calls(), (there / "wherry.yaml").read_text()), ([], "old"))


tap.run()
