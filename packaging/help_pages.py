"""Makes what a package says of the program out of what the program says itself.

    help_pages.py ONETAP SOURCE FOLDER

ONETAP is the program, SOURCE the sources' folder; FOLDER gets onetap.1.gz, onetap-as-service.8.gz, onetap.bash,
_onetap, onetap.env and changelog.gz. Python 3 and no packages.
"""
import gzip
import pathlib
import re
import subprocess
import sys

PROGRAM, SOURCE, FOLDER = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
COLUMN = 26  # where an explanation begins at the earliest
FLAG = re.compile(r"(?<![\w-])(--?[a-z][a-z0-9-]*)")


def help_of(*command):
    done = subprocess.run([PROGRAM, *command, "--help"], capture_output=True, text=True, timeout=20)
    if done.returncode != 0:
        sys.exit("onetap %s --help failed: %s" % (" ".join(command), done.stderr))
    return done.stdout


class Command:
    """One command: its words, its help's lines, its entries as (heading, explanation), and its subcommands."""

    def __init__(self, words, summary):
        self.words, self.summary = words, summary
        self.text = help_of(*words)
        self.entries = entries_of(self.text)
        self.subcommands = [Command([*words, name], summary) for name, summary in named_under(self.text, "Subcommands")]

    @property
    def flags(self):
        found = []
        for heading, _ in self.entries:
            found += [flag for flag in FLAG.findall(heading.split("Needs:")[0].split("Excludes:")[0])
                      if flag not in found]
        return found

    def walk(self):
        yield self
        for each in self.subcommands:
            yield from each.walk()


def named_under(text, title):
    section = re.search(r"^%s:\n((?:  .*\n?)*)" % title, text, re.M)
    return re.findall(r"^  (\S+)\s{2,}(.*)$", section.group(1), re.M) if section else []


def entries_of(text):
    """Lines that begin with an option, with what is indented below or beside."""
    entries = []
    for line in text.splitlines():
        begins = re.match(r"^ {2}(-\S.*?)(?:\s{2,}(\S.*))?$", line)
        if begins:
            entries.append([begins.group(1), begins.group(2) or ""])
        elif entries and re.match(r"^ {%d,}\S" % COLUMN, line):
            entries[-1][1] = (entries[-1][1] + " " + line.strip()).strip()
        elif entries and line.strip() and not line.startswith(" "):
            entries.append(["", ""])  # another section: what follows belongs to none
    return [(heading, said) for heading, said in entries if heading]


def roff(text):
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    return "\\&" + text if text.startswith(".") else text


def roff_entries(entries):
    return "".join(".TP\n.B %s\n%s\n" % (roff(heading), roff(said) or "\\&") for heading, said in entries)


def variable_of(said):
    named = re.search(r"\[((?:ONETAP_|APPID|SECRET)[A-Z_0-9]*)", said)
    return named.group(1) if named else None


def man_page(commands, version):
    parts = []
    for top in commands:
        is_server = top.words == ["serve"]
        for command in top.walk():
            parts.append(".SS onetap %s\n%s\n" % (roff(" ".join(command.words)), roff(command.summary)))
            own = [(heading, said) for heading, said in command.entries if not (is_server and variable_of(said))]
            parts.append(roff_entries(own))
    settings = [each for each in commands[0].entries if variable_of(each[1])]
    page = (SOURCE / "packaging/onetap.1.in").read_text()
    return (page.replace("@VERSION@", version).replace("@COMMANDS@\n", "".join(parts))
            .replace("@SETTINGS@\n", roff_entries(settings)))


BASH = """# bash completion of onetap
_onetap() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} so_far= word
  COMPREPLY=()
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$so_far $word" in
%(paths)s
    esac
  done
  local words=
  case $so_far in
%(words)s
  esac
  if [[ $current == -* || -z $so_far ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
  else
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current"; compgen -f -- "$current")
  fi
}
complete -o filenames -F _onetap onetap
"""

ZSH = """#compdef onetap
# zsh completion of onetap
local so_far= word
for word in ${words[2,CURRENT-1]}; do
  case "$so_far $word" in
%(paths)s
  esac
done
local -a known
case $so_far in
%(words)s
esac
compadd -- $known
[[ -z $so_far || $PREFIX == -* ]] || _files
"""


def completions(commands):
    everything = [each for top in commands for each in top.walk()]
    paths = "\n".join('      "%s %s") so_far="%s" ;;' % (prefix(each.words[:-1]), each.words[-1], prefix(each.words))
                      for each in everything)
    top = "--help --version " + " ".join(each.words[0] for each in commands)
    bash = ['    "") words="%s" ;;' % top]
    zsh = ['  "") known=(%s) ;;' % top]
    for each in everything:
        offered = " ".join([*each.flags, *(sub.words[-1] for sub in each.subcommands)])
        bash.append('    "%s") words="%s" ;;' % (prefix(each.words), offered))
        zsh.append('  "%s") known=(%s) ;;' % (prefix(each.words), offered))
    return (BASH % {"paths": paths, "words": "\n".join(bash)},
            ZSH % {"paths": paths.replace("      ", "    "), "words": "\n".join(zsh)})


def prefix(words):
    return "".join(" " + word for word in words)


ENV_HEAD = """# Settings of onetap.service. Take the "#" away where you want something else, then: systemctl restart onetap
# Lines with "#" and no blank are the settings with their defaults. Before the first start:
#   APPID, ONETAP_TLS_CERT and ONETAP_TLS_KEY below (the group onetap must be able to read the key),
#   the AppSecret in /etc/onetap/credentials/SECRET (root's, mode 0600),
#   onetap-as-service doctor, then systemctl enable --now onetap
# Any secret may be a file there, named like its variable. systemd listens: another address is a matter of
# "systemctl edit onetap.socket" (onetap-operator.socket), and ONETAP_LISTEN stays unset.
"""


def settings_file():
    """onetap.env.example under the package's own head, with the package's ledger."""
    example = (SOURCE / "onetap.env.example").read_text()
    body = example[example.index("# --- "):]
    return ENV_HEAD + "\n" + body.replace("#ONETAP_DB=onetap.db", "#ONETAP_DB=/var/lib/onetap/onetap.db")


def compressed(name, text):
    with open(FOLDER / (name + ".gz"), "wb") as file, gzip.GzipFile(
            filename="", mode="wb", fileobj=file, compresslevel=9, mtime=0) as packed:
        packed.write(text.encode())


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    overview = subprocess.run([PROGRAM, "--help"], capture_output=True, text=True, check=True).stdout
    version = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]
    listed = re.findall(r"^  onetap (\S+)\s+(.*)$", overview, re.M)
    commands = [Command([name], summary) for name, summary in listed]
    compressed("onetap.1", man_page(commands, version))
    compressed("onetap-as-service.8", (SOURCE / "packaging/onetap-as-service.8").read_text())
    changelog = SOURCE / "CHANGELOG.md"
    compressed("changelog", changelog.read_text() if changelog.exists() else "onetap %s\n" % version)
    bash, zsh = completions(commands)
    (FOLDER / "onetap.bash").write_text(bash)
    (FOLDER / "_onetap").write_text(zsh)
    (FOLDER / "onetap.env").write_text(settings_file())


main()
