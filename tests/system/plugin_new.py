#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Claims: with nothing but the installed headers and command, `perdure plugin new` makes a project
in C and in C++ that configures, builds without a warning and passes its own test, and that test
notices when the plugin does something else; with the whole package that test plays the plugin in
worlds, kills it and notices the same; `perdure plugin inspect` shows what plugin.toml says, from
the file alone. Bad names and folders that exist are refused, and nothing is made or changed then.
"""
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import rig
from rig import claim, refused

BUILD = os.environ.get("PERDURE_BUILD", str(rig.SOURCE / "build" / "release"))
# A slip in each source, of the sort that an author makes.
SLIPS = {"yield": ("/ 10000 * rate", "/ 10000 * rate + 1"), "sink": ("+= moved.amount", "+= 1"),
         "detector": ("<= here->limit", "< here->limit"),
         "yield++": ("/ 10'000 * rate_", "/ 10'000 * rate_ + 1"), "sink++": (").amount", ").asset"),
         "detector++": ("<= limit_", "< limit_")}


def tool(*words, folder=None, code=0):
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith(("CMAKE", "PERDURE", "CPATH", "CPLUS", "LIBRARY_PATH"))}
    done = subprocess.run(list(map(str, words)), cwd=folder, env=environment, text=True,
                          capture_output=True)
    claim((done.returncode == 0) == (code == 0), f"{words} answers {code}",
          done.stdout + done.stderr)
    return done.stdout + done.stderr


class Package:
    """The installed headers, perdure_add_plugin() and command, or all of it; moved, so that no path
    of the build can be baked in."""

    def __init__(self, place, whole=False):
        for words in [[]] if whole else [["--component", "sdk"], ["--component", "command"]]:
            tool("cmake", "--install", BUILD, "--prefix", place / "first", *words)
        (place / "first").rename(place / "moved")
        self.prefix = place / "moved"
        self.folder = place / "projects"
        self.folder.mkdir()
        if whole:
            return
        libraries = [path for path in self.prefix.rglob("*") if path.suffix in (".a", ".so")
                     and path.parent.name != "plugins"]
        claim(not libraries, "no library is needed, but for the built-in plugins", libraries)
        for path in (self.prefix / "lib").rglob("*.cmake"):
            claim(str(rig.SOURCE) not in path.read_text(), f"{path} names no place of the build")

    def perdure(self, *words):
        return rig.run(*words, program=self.prefix / "bin" / "perdure")

    def new(self, kind, name, language):
        os.chdir(self.folder)
        answer = self.perdure("plugin", "new", kind, name, "--language", language)
        claim(answer.code == 0 and f"cd {name}" in answer.out, "it says how to go on", answer)
        return self.folder / name

    def build(self, project):
        said = tool("cmake", "-S", project, "-B", project / "build", "-G", "Ninja",
                    f"-DCMAKE_PREFIX_PATH={self.prefix}")
        said += tool("cmake", "--build", project / "build")
        claim("warning" not in said, "it builds without a warning", said)


def projects_build_pass_and_can_fail():
    with rig.Place() as place:
        package = Package(place)
        for kind in ("yield", "sink", "detector"):
            for language, suffix in (("c", "c"), ("c++", "cpp")):
                name = f"my-{kind}-{suffix}"
                project = package.new(kind, name, language)
                package.build(project)
                said = tool("ctest", "--test-dir", project / "build", "--no-tests=error")
                claim("100% tests passed" in said, "its test passes", said)
                seen = package.perdure("plugin", "inspect", project / "build" / f"{name}.so",
                                       "--json").json()
                claim(seen["id"] == f"org.example.{name}" and len(seen["hash"]) == 64, name, seen)
                claim(seen["kind"] == {"detector": "events", "yield": "tick"}.get(kind, kind),
                      "it is of that kind", seen)

                source = project / "src" / f"{name}.{suffix}"
                right, wrong = SLIPS[kind + language[1:]]
                claim(right in source.read_text(), f"{source} holds {right}")
                source.write_text(source.read_text().replace(right, wrong))
                tool("cmake", "--build", project / "build")
                said = tool("ctest", "--test-dir", project / "build", "-V", code=1)
                claim("failures" in said and "line " in said, f"the test notices {wrong}", said)
                claim("tiny host" in said, "it says which test ran", said)


def with_the_whole_package_projects_are_played_in_worlds():
    with rig.Place() as place:
        package = Package(place, whole=True)
        for kind, language, suffix in (("yield", "c", "c"), ("sink", "c++", "cpp"),
                                       ("detector", "c++", "cpp")):
            name = f"played-{kind}"
            project = package.new(kind, name, language)
            package.build(project)
            said = tool("ctest", "--test-dir", project / "build", "--no-tests=error", "-V")
            claim("passed, in worlds of perdure's test kit" in said, "it says which ran", said)
            killed = re.search(r"killed at (\d+) moments", said)
            claim(killed and int(killed[1]) >= 2, "it was killed at its commits", said)
            file = project / "build" / f"{name}.so"
            valid = package.perdure("plugin", "validate", file)
            claim(valid.code == 0 and "\nvalid" in valid.out, "the file is valid", valid)

            source = project / "src" / f"{name}.{suffix}"
            right, wrong = SLIPS[kind + language[1:]]
            source.write_text(source.read_text().replace(right, wrong))
            tool("cmake", "--build", project / "build")
            said = tool("ctest", "--test-dir", project / "build", "-V", code=1)
            claim("failed: it does not hold that" in said, f"the test notices {wrong}", said)


def a_manifest_that_changed_is_built_in_again():
    with rig.Place() as place:
        package = Package(place)
        project = package.new("yield", "again", "c")
        package.build(project)
        file = project / "build" / "again.so"
        before = package.perdure("plugin", "inspect", file, "--json").json()
        text = (project / "plugin.toml").read_text()
        (project / "plugin.toml").write_text(text.replace("default = 10\n", "default = 11\n"))
        tool("cmake", "--build", project / "build")
        after = package.perdure("plugin", "inspect", file, "--json").json()
        claim(after["config"][0]["default"] == 11, "the new manifest is inside", after)
        claim(after["hash"] != before["hash"], "it is another file")

        (project / "plugin.toml").write_text(text.replace("every", "evry"))
        tool("cmake", "--build", project / "build")
        refused(package.perdure("plugin", "inspect", file), 1, "tick.evry", "did you mean every?",
                "again.so plugin.toml:8")
        (project / "plugin.toml").unlink()
        said = tool("cmake", "--build", project / "build", code=1)
        claim("plugin.toml" in said, "a manifest that is gone is named", said)


def a_stripped_plugin_keeps_its_manifest():
    with rig.Place() as place:
        package = Package(place)
        project = package.new("sink", "bare", "c++")
        package.build(project)
        file = project / "build" / "bare.so"
        tool("strip", "--strip-all", file)
        claim(package.perdure("plugin", "inspect", file).code == 0, "it is still a plugin")
        tool(project / "build" / "bare_test", file)


def inspect_shows_what_the_manifest_says():
    file = Path(BUILD) / "tests" / "plugins" / "samples" / "sample_tick.so"
    words = rig.run("plugin", "inspect", file)
    claim(words.code == 0, "it is shown", words)
    for part in ("org.example.tick 1.2.3", "every 10s of world time", "merged", "version 2",
                 "post transfer", "mint up to 500 minor units of gold a window",
                 "take from account treasury", "rate = 5 (integer, from 0, up to 100, in percent",
                 "16MiB of memory", "libc.so.6"):
        claim(part in words.out, f"it says {part}", words)
    seen = rig.run("plugin", "inspect", file, "--json").json()
    claim(seen["capabilities"]["mint"] == {"gold": 500}, "as JSON too", seen)
    claim(seen["hash"] in words.out and seen["bytes"] == file.stat().st_size, "the same file", seen)


def what_is_no_plugin_is_refused():
    with rig.Place() as place:
        refused(rig.run("plugin", "inspect", place / "none.so"), 1, "none.so", "No such file")
        (place / "text.so").write_text("id = 5\n")
        refused(rig.run("plugin", "inspect", place / "text.so"), 1, "text.so", "ELF")
        answer = rig.run("plugin", "inspect", place / "text.so", "--json")
        claim(answer.json()["error"]["reason"] == "bad_plugin", "as JSON too", answer)
        refused(rig.run("plugin", "inspect", place.path), 1, "not a file")
        refused(rig.run("plugin", "inspect", shutil.which("python3")), 1, "ELF type 2" if b"\x02"
                == Path(shutil.which("python3")).read_bytes()[16:17] else "a program")


def bad_names_and_folders_that_exist_change_nothing():
    with rig.Place() as place:
        os.chdir(place.path)
        for name in ("Upper", "a_b", "-a", "a-", "1a", "a/b", "../a", "", "x" * 32, "test", "a b"):
            # Behind "--", so that a dash is not an option.
            answer = rig.run("plugin", "new", "sink", "--", name)
            refused(answer, 1, "no name of a plugin")
        claim(rig.run("plugin", "new", "nothing", "a").code == 2, "a kind is one of three")
        claim(rig.run("plugin", "new", "sink", "a", "--language", "rust").code == 2,
              "a language is one of two")
        claim(not list(place.path.iterdir()), "nothing was made", list(place.path.iterdir()))
        (place / "mine").mkdir()
        (place / "mine" / "work").write_text("mine")
        refused(rig.run("plugin", "new", "sink", "mine"), 1, "mine", "choose another name")
        (place / "file").write_text("mine")
        refused(rig.run("plugin", "new", "sink", "file"), 1, "file", "choose another name")
        claim((place / "mine" / "work").read_text() == "mine", "it is as it was")
        claim(len(list(place.path.rglob("*"))) == 3, "nothing else is there")
        os.chdir("/")


CASES = [projects_build_pass_and_can_fail, with_the_whole_package_projects_are_played_in_worlds,
         a_manifest_that_changed_is_built_in_again, a_stripped_plugin_keeps_its_manifest,
         inspect_shows_what_the_manifest_says, what_is_no_plugin_is_refused,
         bad_names_and_folders_that_exist_change_nothing]

if __name__ == "__main__":
    sys.exit(rig.main(CASES))
