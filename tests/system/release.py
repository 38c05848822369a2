"""Tests scripts/release in a repository of its own: what it refuses, what it leaves, and what its tag says.

    release.py SOURCE FOLDER       SOURCE is the tree under test, FOLDER an empty one

The repository has the tree's own scripts/release, scripts/docs and every file with a version in it. In the place of
scripts/test, scripts/package and the component's build it has stand-ins of a line, so that this takes seconds; git
and npm pack are the real ones. Python 3, with PyYAML as for scripts/docs.
"""
import datetime
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile

SOURCE, FOLDER = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
REPOSITORY = FOLDER / "repository"
KEPT = ("scripts/release", "scripts/docs", "scripts/render_api.py", "CMakeLists.txt", "CHANGELOG.md", ".gitignore",
        "docs/openapi.yaml", "docs/install.md", "docs/zh/install.md", "app/miniprogram/package.json", "app/miniprogram/package-lock.json",
        "app/miniprogram/.gitignore")
STAND_INS = {
    "scripts/test": 'echo "tests were run" >>build/log\n',
    "scripts/package": 'file=build/release/onetap_{version}_amd64.deb\nmkdir -p build/release\n'
                       'echo package >"$file"\necho "$PWD/$file"\n',
    "app/miniprogram/scripts/build.mjs": "import {{ mkdirSync, writeFileSync }} from 'node:fs';\n"
                                         "mkdirSync('miniprogram_dist', {{ recursive: true }});\n"
                                         "writeFileSync('miniprogram_dist/index.js', '');\n",
}
failed = False


def check(sentence, holds, said=""):
    global failed
    failed = failed or not holds
    print(f"{'ok' if holds else 'failed':7} {sentence}" + ("" if holds else f":\n{said}"))


def git(*arguments):
    done = subprocess.run(["git", *arguments], cwd=REPOSITORY, env=ENVIRONMENT, text=True, capture_output=True)
    if done.returncode != 0:
        sys.exit(f"git {' '.join(arguments)}: {done.stderr}")
    return done.stdout


def release(*arguments):
    done = subprocess.run([REPOSITORY / "scripts/release", *arguments], cwd=FOLDER, env=ENVIRONMENT, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    return done.returncode, done.stdout


def write(name, text, mode=0o644):
    path = REPOSITORY / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)


def replace(name, old, new):
    text = (REPOSITORY / name).read_text(encoding="utf-8")
    assert old in text, f"{name} has no {old}"
    write(name, text.replace(old, new, 1), (REPOSITORY / name).stat().st_mode & 0o777)


def commit(message):
    git("add", "--all")
    git("commit", "--quiet", "--message", message)


def refuses(sentence, reason, *arguments):
    """What stands committed or not is refused for this reason; then it is as it was."""
    status, said = release(*(arguments or (VERSION,)))
    check(f"it refuses {sentence}", status != 0 and reason in said and git("tag") == TAGS, said)
    git("reset", "--quiet", "--hard", START)
    git("clean", "--quiet", "--force", "-d")


ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": str(FOLDER), "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C.UTF-8",
               "GIT_AUTHOR_NAME": "release", "GIT_AUTHOR_EMAIL": "release@localhost",
               "GIT_COMMITTER_NAME": "release", "GIT_COMMITTER_EMAIL": "release@localhost"}
VERSION = re.search(r"project\(onetap VERSION (\S+)", (SOURCE / "CMakeLists.txt").read_text()).group(1)
TAGS = ""

for kept in KEPT:
    (REPOSITORY / kept).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(SOURCE / kept, REPOSITORY / kept)
for stand_in, its_text in STAND_INS.items():
    shell = "" if stand_in.endswith(".mjs") else "#!/bin/sh\nset -e\ncd \"$(dirname \"$0\")/..\"\nmkdir -p build\n"
    write(stand_in, shell + its_text.format(version=VERSION), 0o755)
# As `npm ci` leaves it, of a component that needs nothing.
write("app/miniprogram/node_modules/.package-lock.json", "{}")
os.utime(REPOSITORY / "app/miniprogram/node_modules/.package-lock.json", (4e9, 4e9))
changes = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
today = datetime.date.today().isoformat()
write("CHANGELOG.md", re.sub(rf"^## {re.escape(VERSION)}.*$", f"## {VERSION} – {today}", changes, flags=re.M))
git("init", "--quiet", "--initial-branch=main")
commit("A tree that can be released")
START = git("rev-parse", "HEAD").strip()

refuses("no version at all", "usage:", "--dry-run")
refuses("what is no version", "usage:", f"v{VERSION}")
refuses("a version that the tree does not have", f"CMakeLists.txt says {VERSION}, not 9.9.9", "9.9.9")
replace("CHANGELOG.md", "# Changes", "# Changes!")
refuses("a change that is not committed", "not committed:  M CHANGELOG.md")
write("forgotten.txt", "")
refuses("a file that is not added", "not committed: ?? forgotten.txt")
replace("docs/openapi.yaml", f"version: {VERSION}", "version: 9.9.9")
commit("Another version in the API")
refuses("versions that disagree", f"docs/openapi.yaml: says 9.9.9, CMakeLists.txt {VERSION}")
replace("CHANGELOG.md", f"## {VERSION} – {today}", f"## {VERSION} – not released yet")
commit("No date")
refuses("changes without a date", "heading has no date")
write("CHANGELOG.md", f"# Changes\n\n## {VERSION} – {today}\n\n## 0.0.1 – {today}\n\n- Something.\n")
commit("Nothing to tell")
refuses("a version of which there is nothing to tell", "nothing to tell")
replace("scripts/test", "set -e\n", "echo a suite failed\nexit 1\n")
commit("A test that fails")
refuses("to go on when a test fails", "a suite failed")
replace("scripts/package", "set -e\n", "set -e\necho >>CHANGELOG.md\n")
commit("A build that changes the tree")
refuses("a build that changes the tree", "changed meanwhile")

folder = REPOSITORY / f"build/release-{VERSION}"
status, said = release(VERSION, "--dry-run")
check("a dry run makes all", status == 0 and (folder / "SHA256SUMS").exists(), said)
check("and tags nothing", git("tag") == "" and "--dry-run" in said, said)
check("the tests were run", "tests were run" in (REPOSITORY / "build/log").read_text())

status, said = release(VERSION)
check("a release is made", status == 0, said)
wanted = [f"onetap-miniprogram-{VERSION}.tgz", f"onetap_{VERSION}_amd64.deb"]
made = sorted(path.name for path in folder.iterdir())
check("of the package, the component and their sums", made == ["SHA256SUMS", *wanted], made)
sums = dict(reversed(line.split("  ")) for line in (folder / "SHA256SUMS").read_text().splitlines())
of_files = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in wanted}
check("which are right", sums == of_files, sums)
with tarfile.open(folder / wanted[0]) as packed:
    check("the component was built before it was packed", "package/miniprogram_dist/index.js" in packed.getnames(),
          packed.getnames())
check("the tag is annotated", git("cat-file", "-t", f"v{VERSION}").strip() == "tag")
check("and of the commit that was built", git("rev-parse", f"v{VERSION}^{{commit}}").strip() == START)
message = git("tag", "--list", "--format=%(contents)", f"v{VERSION}")
first_change = re.search(r"^- .*$", changes, re.M).group(0)
check("its message tells the changes", message.startswith(f"onetap {VERSION}\n") and first_change in message, message)
check("the tree is clean", git("status", "--porcelain") == "")
TAGS = f"v{VERSION}\n"
refuses("a tag that is there", f"the tag v{VERSION} is there already")
sys.exit(1 if failed else 0)
