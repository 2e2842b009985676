#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Taste as a test: the rules of the source that a compiler does not check.

usage: tidy.py [ROOT]        exit 0: nothing found, 1: findings as file:line: message

Each rule is a function that yields findings; tests/tidy_test.py shows that each can fail.
"""
import re
import sys
from pathlib import Path

# Who may include whom. core/world is the face, and the only part of core that may see io.
MAY_SEE = {
    "shm": {"shm"},
    "io": {"shm", "io"},
    "core": {"shm", "core"},
    "plugins": {"shm", "io", "core", "plugins", "world.hpp"},
    "apps": {"shm", "io", "core", "plugins", "apps", "world.hpp"},
}
WORLD_MAY_SEE = {"shm", "io", "core"}
PRODUCT = tuple(MAY_SEE)
FREE = ("tests", "perf", "examples")

# Third parties and the folders that may include them; tests, perf and examples may anything.
THIRD_PARTIES = {
    r"boost/interprocess/": {"shm"},
    r"boost/(asio|beast)|zstd\.h|cereal/|tbb/|oneapi/tbb|soci/": {"io", "plugins"},
    r"sodium\.h": {"io", "core", "plugins"},
    r"CLI/|archive(_entry)?\.h": {"apps"},
    r"toml\+\+/": {"io", "plugins"},
    r"seccomp\.h": {"plugins"},
    r"spdlog/|fmt/": {"io", "apps"},
}
# core is replayed: no system call, no clock, no thread, no chance.
NOT_IN_CORE = r"(chrono|thread|mutex|condition_variable|random|fstream|iostream|filesystem)|" \
              r"(unistd|fcntl|time|pthread)\.h|sys/.*"

BANNED = {"manager", "helper", "helpers", "util", "utils", "common", "misc", "base", "impl", "info",
          "data", "handler", "processor", "wrapper", "types"}
# Names of others that contain a banned word.
NOT_OURS = {"error_info", "static_types", "dl_iterate_phdr_info", "dl_phdr_info", "base_dirs"}

HEADINGS = ["Promise", "Death", "Power loss", "Threads", "Invariants", "Format"]

LIMITS = {"file": 400, "header": 250, "function": 70, "line": 100, "parameters": 5}
# (rule, file): (limit, reason). A ratchet: lower a limit here when the file shrinks.
EXCEPTIONS = {
    ("function", "shm/error.cpp"): (240, "one case an errc, so that the compiler misses none"),
    ("parameters", "plugins/host/services.cpp"): (6, "as perdure_plugin.h has it"),
    ("parameters", "core/posting.cpp"): (6, "the transaction, and the five that name a movement"),
    ("parameters", "core/faucet.cpp"): (6, "the transaction, and the five that name a movement"),
    ("parameters", "core/hold.cpp"): (6, "the transaction, and the five that name a movement"),
}

SKIPPED = {"build", ".git", ".cache", "__pycache__"}


class Source:
    """One file: its lines, and for C++ the code with comments and literals blanked out."""

    def __init__(self, root, path):
        self.path = path.relative_to(root).as_posix()
        self.folder = self.path.split("/")[0]
        self.text = path.read_text(encoding="utf-8")
        self.lines = self.text.splitlines()
        self.is_cpp = path.suffix in (".cpp", ".hpp")
        self.is_header = path.suffix == ".hpp"
        self.code = blanked(self.text) if self.is_cpp else ""

    def includes(self):
        """(line, quote, path) of every #include."""
        for number, line in enumerate(self.lines, 1):
            match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)', line)
            if match:
                yield number, match[1], match[2]

    def finding(self, line, message):
        return f"{self.path}:{line}: {message}"


def blanked(text):
    """The same text with comments, strings and characters replaced by blanks; lines stay lines."""
    pattern = re.compile(
        r'//[^\n]*|/\*.*?\*/|R"(?P<mark>[^(\s]*)\(.*?\)(?P=mark)"|"(?:\\.|[^"\\\n])*"'
        r"|(?<![0-9a-zA-Z_])'(?:\\.|[^'\\\n])+'", re.S)
    return pattern.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def sources(root):
    for path in sorted(root.rglob("*")):
        if not SKIPPED.intersection(path.relative_to(root).parts) and path.is_file():
            if path.suffix in (".cpp", ".hpp", ".h", ".py", ".cmake", ".pml", ".sh") or \
                    path.name in ("CMakeLists.txt", "dev", "run", "run_all", "run_one"):
                yield Source(root, path)


def licence(source, _):
    if "SPDX-License-Identifier: Apache-2.0" not in "\n".join(source.lines[:2]):
        yield source.finding(1, "no SPDX-License-Identifier: Apache-2.0 in its first two lines")


def include_matrix(source, _):
    if source.folder not in PRODUCT or not source.is_cpp:
        return
    allowed = MAY_SEE[source.folder]
    if re.match(r"core/world[._]", source.path):
        allowed = WORLD_MAY_SEE
    for line, quote, path in source.includes():
        if quote == '"':
            yield source.finding(line, f'"{path}": write <perdure/folder/file.hpp>')
        elif path.startswith("perdure/"):
            seen = path.split("/")[1]
            if seen not in allowed and path != "perdure/shm/error.hpp":
                yield source.finding(line, f"{source.folder} may not see {seen} (<{path}>)")
        elif allowed == MAY_SEE["core"] and re.fullmatch(NOT_IN_CORE, path):
            yield source.finding(line, f"core is deterministic and may not see <{path}>")
        for pattern, folders in THIRD_PARTIES.items():
            if re.match(pattern, path) and source.folder not in folders:
                only = ", ".join(sorted(folders))
                yield source.finding(line, f"<{path}> is for {only} only")


def crash_points_in_sources(source, _):
    if source.is_header and source.folder in PRODUCT and source.path != "shm/crash_point.hpp":
        for line, _quote, path in source.includes():
            if path == "perdure/shm/crash_point.hpp":
                yield source.finding(line, "a crash point in a header would give plain and rigged "
                                           "code one name: it belongs in a .cpp")


def nothing_sees_the_outside(source, _):
    for line, _quote, path in source.includes():
        if re.match(r"perdure/(tests|perf|examples)/", path) and source.folder not in FREE:
            yield source.finding(line, f"<{path}>: nothing sees {path.split('/')[1]}")


def banned_names(source, _):
    words = re.split(r"[_.\-/]", source.path.rsplit(".", 1)[0])
    for word in BANNED.intersection(words):
        yield source.finding(1, f"banned in names: {word}")
    if not source.is_cpp:
        return
    code = re.sub(r"^\s*#\s*include.*$", "", source.code, flags=re.M)
    for match in re.finditer(r"(?<![\w.>:])[a-z_][a-z0-9_]*", code):
        name = match[0]
        if name in NOT_OURS or (name == "data" and code[match.end():match.end() + 1] == "("):
            continue  # data() is what the standard's spans and containers call it.
        for word in BANNED.intersection(name.split("_")):
            yield source.finding(line_of(code, match.start()), f"banned in names: {word} in {name}")


def limit(rule, source):
    return EXCEPTIONS.get((rule, source.path), (LIMITS[rule], ""))[0]


def sizes(source, _):
    rule = "header" if source.is_header else "file"
    if len(source.lines) > limit(rule, source):
        yield source.finding(1, f"{len(source.lines)} lines, {limit(rule, source)} allowed")
    for number, line in enumerate(source.lines, 1):
        if len(line) > limit("line", source) and not source.path.endswith(".pml"):
            yield source.finding(number, f"{len(line)} columns, {limit('line', source)} allowed")


def functions(code):
    """(start, end, head) of each outermost function body in blanked code."""
    depth_of_function, stack, mark = None, [], 0
    code = re.sub(r"^[ \t]*#(?:\\\n|[^\n])*", lambda m: re.sub(r"[^\n]", " ", m[0]), code,
                  flags=re.M)
    for match in re.finditer(r"[;{}]", code):
        position = match.start()
        if match[0] == "{":
            head = code[mark:position].strip()
            stack.append((position, head))
            if depth_of_function is None and is_function(head):
                depth_of_function = len(stack)
        elif match[0] == "}" and stack:
            start, head = stack.pop()
            if depth_of_function is not None and len(stack) < depth_of_function:
                depth_of_function = None
                yield start, position, head
        mark = position + 1


def is_function(head):
    if re.match(r"(namespace|class|struct|union|enum|extern|if|for|while|switch|do|else|return)\b",
                re.sub(r"^(template\s*<.*?>\s*|(public|private|protected)\s*:\s*)+", "", head)):
        return False
    return ")" in head and "=" not in re.sub(r"\(.*\)|operator\S+|[<>=!]=", "", head, flags=re.S)


def parameters(head):
    """How many parameters the first parenthesis of a function head holds."""
    start = head.find("(", head.find("operator()") + 10 if "operator()" in head else 0)
    depth = angle = commas = 0
    for character in head[start:]:
        depth += (character == "(") - (character == ")")
        angle += (character == "<") - (character == ">")
        commas += character == "," and depth == 1 and angle <= 0
        if depth == 0:
            break
    return commas + 1 if re.search(r"\(\s*[^\s)]", head[start:]) else 0


def function_sizes(source, _):
    for start, end, head in functions(source.code):
        first, last = line_of(source.code, start), line_of(source.code, end)
        if last - first + 1 > limit("function", source):
            yield source.finding(first, f"a function of {last - first + 1} lines, "
                                        f"{limit('function', source)} allowed")
        if source.folder in PRODUCT and parameters(head) > limit("parameters", source):
            yield source.finding(first, f"{parameters(head)} parameters, "
                                        f"{limit('parameters', source)} allowed")


def header_template(source, _):
    if not source.is_header:
        return
    end = next((i for i, line in enumerate(source.lines) if not line.startswith("//")), 0)
    if end >= len(source.lines) or source.lines[end] != "#pragma once":
        yield source.finding(end + 1, "#pragma once follows the comment at once")
    if source.folder not in ("shm", "io", "core"):
        return
    found = []
    for number, line in enumerate(source.lines[:end], 1):
        match = re.match(r"// ([A-Z][a-z]+(?: [a-z]+)?)(?:  | (?=\S))", line)
        wide = re.match(r"// ([A-Z][a-z]+(?: [a-z]+)?) {2,}\S", line)
        if wide and wide[1] not in HEADINGS:
            yield source.finding(number, f"no such heading: {wide[1]}")
        elif match and match[1] in HEADINGS:
            found.append(match[1])
    if not found:
        yield source.finding(1, "a header says its Promise or its Format")
    if found != sorted(found, key=HEADINGS.index):
        yield source.finding(1, "headings stand in this order: " + ", ".join(HEADINGS))


def formats(source, _):
    if not source.path.endswith("_format.hpp"):
        return
    for match in re.finditer(r"\bstruct\s+(?:alignas\([^)]*\)\s*)?(\w+)\s*\{(.*?)\n\}", source.code,
                             re.S):
        name, body, start = match[1], match[2], match.start(2)
        for bad, what in ((r"\bbool\s+(?!operator)\w+\s*[;\[={]", "bool"),
                          (r"\b(?:float|double)\s+\w", "floating point"),
                          (r"\*\s*\w+\s*(?:;|\{|=)", "a pointer"),
                          (r"\b\w+\s+\w+\s*:\s*\d+\s*[;{=]", "a bit-field")):
            for found in re.finditer(bad, body):
                yield source.finding(line_of(source.code, start + found.start()),
                                     f"{what} in the mapped struct {name}")
        for proof in (f"mapped<{name}>", f"sizeof({name})"):
            if proof not in source.code:
                yield source.finding(line_of(source.code, match.start()),
                                     f"no static_assert on {proof}")


def unfinished(source, _):
    if source.path.startswith("tests/tidy"):
        return
    for number, line in enumerate(source.lines, 1):
        if re.search(r"\b(TODO|FIXME|XXX)\b(?!\(#\d+\))", line):
            yield source.finding(number, "unfinished work needs the number of its issue")
    if source.folder in ("shm", "io", "core"):
        for match in re.finditer(r"\bthread_local\b", source.code):
            yield source.finding(line_of(source.code, match.start()),
                                 "thread_local: forks and plugins trip over it")


def registered(source, tree):
    """Every .cpp is in the CMakeLists.txt above it: as a path, or in perf as a subject; so is every
    script of cases, by its stem."""
    is_script = source.path.endswith(".py") and re.search(r"^CASES = ", source.text, re.M)
    if not source.path.endswith(".cpp") and not is_script:
        return
    path = Path(source.path)
    for folder in path.parents:
        lists = tree.get((folder / "CMakeLists.txt").as_posix())
        if lists is not None:
            below = path.relative_to(folder).as_posix()
            words = set(re.split(r"[\s()\"]+", re.sub(r"#[^\n]*", "", lists.text)))
            names = {below} | ({path.stem} if folder.name == "perf" or is_script else set())
            if folder.name == "examples":
                names.add(path.parent.name)
            if not names & words:
                yield source.finding(1, f"{lists.path} does not name {below}")
            return
    yield source.finding(1, "no CMakeLists.txt above it")


def listed_files_exist(source, tree):
    if not source.path.endswith("CMakeLists.txt"):
        return
    folder = Path(source.path).parent
    for number, line in enumerate(source.lines, 1):
        for name in re.findall(r"(?<![\w/${}<*.])[\w/]+\.[ch]pp\b", line.split("#")[0]):
            if (folder / name).as_posix() not in tree:
                yield source.finding(number, f"{name} is listed and not there")


def public_headers(source, tree):
    """What is installed may include only what is installed."""
    if not source.is_header or source.folder not in ("shm", "io", "core"):
        return

    def is_public(path):
        lists = tree.get(path.split("/")[0] + "/CMakeLists.txt")
        return lists is not None and re.search(rf"\s{re.escape(Path(path).name)}\s", lists.text)

    if is_public(source.path):
        for line, _quote, path in source.includes():
            inner = path.removeprefix("perdure/")
            if path.startswith("perdure/") and not is_public(inner):
                yield source.finding(line, f"installed, and includes {inner}, which is not")


def no_cycles(tree):
    """Findings for include cycles, each named once by its first file."""
    graph = {path: [name.removeprefix("perdure/") for _, _, name in source.includes()
                    if name.startswith("perdure/")] for path, source in tree.items()
             if source.is_header}
    state, findings = {}, []
    for origin in graph:
        stack = [(origin, iter(graph[origin]))] if origin not in state else []
        state.setdefault(origin, "open")
        while stack:
            path, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                state[path] = "done"
                stack.pop()
            elif state.get(following) == "open":
                findings.append(f"{path}:1: an include cycle through {following}")
            elif following in graph and following not in state:
                state[following] = "open"
                stack.append((following, iter(graph[following])))
    return findings


RULES = [licence, include_matrix, crash_points_in_sources, nothing_sees_the_outside, banned_names,
         sizes, function_sizes, header_template, formats, unfinished, registered,
         listed_files_exist, public_headers]


def check(root):
    tree = {source.path: source for source in sources(root)}
    findings = [finding for source in tree.values() for rule in RULES
                for finding in rule(source, tree)]
    findings += no_cycles(tree)
    for rule, path in EXCEPTIONS:
        if path not in tree:
            findings.append(f"{path}:1: an exception from \"{rule}\" for a file that is gone")
    return len(tree), findings


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    count, findings = check(root)
    print("\n".join(findings), end="\n" if findings else "")
    print(f"tidy: {count} files, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
