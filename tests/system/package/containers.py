"""Holds packaging's Dockerfile and compose file to what they promise, where no engine can build them.

    containers.py FOLDER      Python 3 and python3-yaml
"""
import pathlib
import re
import shlex
import sys

import yaml

FOLDER = pathlib.Path(sys.argv[1])
problems = []


def expect(is_so, what):
    if not is_so:
        problems.append(what)


def instructions(text):
    """(NAME, arguments) of each instruction, continued lines joined."""
    joined = re.sub(r"\\\n", " ", "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#")))
    return [tuple(line.strip().split(None, 1)) for line in joined.splitlines() if line.strip()]


KNOWN = {"FROM", "ARG", "LABEL", "COPY", "RUN", "ENV", "USER", "WORKDIR", "VOLUME", "EXPOSE", "STOPSIGNAL",
         "HEALTHCHECK", "ENTRYPOINT", "CMD", "SHELL"}
steps = instructions((FOLDER / "Dockerfile").read_text())
names = [name for name, _ in steps]
expect(set(names) <= KNOWN, "Dockerfile: unknown instructions %s" % (set(names) - KNOWN))
expect(names[0] == "FROM" and names.count("FROM") == 1, "Dockerfile: begins with its one FROM")
image = steps[0][1]
expect(re.fullmatch(r"debian:bookworm[\w.-]*", image), "Dockerfile: a pinned Debian 12, not %s" % image)
users = [argument for name, argument in steps if name == "USER"]
expect(users and users[-1].split(":")[0] not in ("root", "0"), "Dockerfile: does not run as root")
expect(names.index("VOLUME") < names.index("ENTRYPOINT"), "Dockerfile: the ledger is on a VOLUME")
expect(any(name == "COPY" and ".deb" in argument for name, argument in steps), "Dockerfile: built from the .deb")
for name, argument in steps:
    if name == "RUN":
        expect("rm -rf /var/lib/apt/lists/*" in argument, "Dockerfile: apt's lists are left behind")
        expect("--no-install-recommends" in argument, "Dockerfile: recommended packages are installed")
        expect(argument.startswith("set -e") or "&&" in argument, "Dockerfile: RUN stops at its first failure")
        shlex.split(argument)
    if name in ("ENTRYPOINT", "CMD"):
        expect(argument.startswith("["), "Dockerfile: %s is an array, so that signals arrive" % name)
    expect(not re.search(r"(SECRET|TOKEN|KEY)=\S", argument if name in ("ENV", "ARG") else ""), "Dockerfile: a secret")

compose = yaml.safe_load((FOLDER / "compose.yaml").read_text())
expect(set(compose) <= {"name", "services", "volumes", "secrets"}, "compose: unknown parts")
for name, service in compose["services"].items():
    where = "compose: " + name
    expect(service.get("read_only") is True, where + " has a read-only root")
    expect(service.get("cap_drop") == ["ALL"], where + " has no capabilities")
    expect("no-new-privileges:true" in service.get("security_opt", []), where + " gains no privileges")
    expect(not service.get("privileged"), where + " is not privileged")
    mounted = [volume.split(":")[0] for volume in service.get("volumes", [])]
    expect(mounted and all(each in compose.get("volumes", {}) for each in mounted if "/" not in each),
           where + " keeps its ledger on a volume that is declared")
    expect(any(":/var/lib/onetap" in volume for volume in service.get("volumes", [])), where + " mounts its ledger")
    expect(all(secret in compose.get("secrets", {}) for secret in service.get("secrets", [])),
           where + " uses secrets that are declared")
    expect(not any("SECRET=" in str(each) for each in service.get("environment", [])), where + " has a secret")

print("\n".join(problems))
sys.exit(1 if problems else 0)
