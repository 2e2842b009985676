# SPDX-License-Identifier: Apache-2.0
"""What the suites checkpoint, recovery and plugins have to reach, beside what they reached.

Peers are told of in the same terms, where they have them, and judged by nothing.
"""

DURING = "transfer-during-checkpoint"


def mega(count):
    return f"{count / 1e6:.1f} MB"


def micro(nanoseconds):
    return f"{nanoseconds / 1e3:.1f} us"


class Report:
    """Rows of a table: what, how much, what it must be, whether it is."""

    def __init__(self, lines):
        self.by = {(x["work"], x["engine"]): x for x in lines if x["work"] != "checkpoint-size"}
        self.sizes = {x["world"]: x for x in lines if x["work"] == "checkpoint-size"}
        self.timelines = {x["engine"]: x for x in lines if x["work"] == "timeline"}
        self.rows = []

    def add(self, what, value, must="", met=None):
        self.rows.append((what, value, must, "" if met is None else "yes" if met else "NO"))

    def during(self, engine):
        line, before = self.by.get((DURING, engine)), self.by.get((DURING, engine + "-before"))
        if not line or not before or not before["ops_s"]:
            return
        ours = engine == "perdure"
        share = line["ops_s"] / before["ops_s"]
        self.add(f"{engine}: rate beside copies, of the rate without", f"{100 * share:.0f} %",
                 *((">= 70 %", share >= 0.7) if ours else ()))
        self.add(f"{engine}: worst stall, without copies and with",
                 f"{micro(before['stall_ns'])}, {micro(line['stall_ns'])}")
        self.add(f"{engine}: a copy of {line['rows']:.0f} rows, median of {line['copies']:.0f}",
                 f"{line['copy_ms']:.0f} ms, {line['rows_mb_s']:.0f} MB/s of rows, "
                 f"{mega(line['file_bytes'])} = {100 * line['file_bytes'] / line['row_bytes']:.0f}"
                 " % of them", *((">= 200 MB/s", line["rows_mb_s"] >= 200) if ours else ()))
        if ours:
            self.by_stage()
            self.costs(line, before)

    def by_stage(self):
        """The rate of one run while pages are captured, while they are written, and between."""
        line = self.timelines.get("perdure")
        if not line:
            return
        slot = line["slot_ms"]
        found = {"captured": [], "written": [], "between": []}
        for i, count in enumerate(line["operations"][:-1]):
            begin, end = i * slot, (i + 1) * slot
            stage = "between"
            for begun, captured, ended in line["copies_ms"]:
                if begin < captured and end > begun:
                    stage = "captured"
                elif begin < ended and end > captured:
                    stage = "written"
            found[stage].append(count)
        if all(found.values()):
            self.add("perdure: rate in one run while captured, while written, between",
                     ", ".join(f"{sum(x) / len(x) / slot:.0f} k/s" for x in found.values()))

    def costs(self, line, before):
        for each, limits in ((before, ()), (line, ("p99.9 < 200 us", line["p999_ns"] < 200_000))):
            self.add("perdure: commit p50, p99, p99.9 " + ("beside" if limits else "without"),
                     ", ".join(micro(each[x]) for x in ("p50_ns", "p99_ns", "p999_ns")), *limits)
        self.add("perdure: commits that had no room in the ring for 2 ms, without and with",
                 f"{before['refused']:.0f}, {line['refused']:.0f}")
        self.add("perdure: captures given up", f"{line['aborts']:.0f}", "0", line["aborts"] == 0)
        self.add("perdure: shadow pages at most, of pages copied",
                 f"{line['shadows_max']:.0f} of {line['pages']:.0f}")
        self.add(f"perdure: gate closed, p50, p99, max of {line['cuts']:.0f} cuts",
                 ", ".join(micro(line[x]) for x in ("cut_p50_ns", "cut_p99_ns", "cut_max_ns")),
                 "p99 < 50 us, >= 100 cuts",
                 line["cut_p99_ns"] < 50_000 and line["cuts"] >= 100)
        self.add("perdure: longest wait until the gate was quiet, all cuts",
                 micro(line["gate_wait_max_ns"]))
        self.add("perdure: from cut until writers copy no more", f"{line['capture_ms']:.1f} ms")

    def alone(self):
        full = self.by.get(("checkpoint-rate", "perdure"))
        part = self.by.get(("checkpoint-increment", "perdure"))
        if full:
            self.add("perdure: a full checkpoint, nobody at work",
                     f"{full['copy_ms']:.0f} ms, {full['ops_s'] / 1e6:.0f} MB/s of rows, "
                     f"{mega(full['file_bytes'])} = "
                     f"{100 * full['file_bytes'] / full['row_bytes']:.0f} % of them",
                     ">= 200 MB/s", full["ops_s"] >= 200e6)
        if not full or not part:
            return
        self.add("perdure: pages in an increment, of those in a full one",
                 f"{part['pages']:.0f} of {full['pages']:.0f}")
        for what, key in (("time", "copy_ms"), ("bytes", "file_bytes")):
            share = part[key] / full[key]
            self.add(f"perdure: an increment's {what} against a full one's",
                     f"{100 * share:.1f} %", "<= 3 %", share <= 0.03)

    def of_ledgers(self):
        for world, x in self.sizes.items():
            share = x["file_bytes"] / x["row_bytes"]
            self.add(f"perdure: checkpoint of ledger {world}, {mega(x['row_bytes'])} of rows",
                     f"{100 * share:.1f} % of them",
                     *(("<= 35 %", share <= 0.35) if world == "all" else ()))

    def recovered(self, work, engine, limit_s):
        x = self.by.get((work, engine))
        if not x:
            return
        seconds = x["took_ms"] / 1e3
        what = f"{engine}: {work}, {x['payments']:.0f} payments in the log"
        if "region_bytes" not in x:
            each = f", {1e6 * seconds / x['payments']:.1f} us a payment" if x["payments"] else ""
            self.add(what, f"{seconds:.2f} s, peak {mega(x['peak_bytes'])}{each}")
            return
        self.add(f"{what}, {x['rows']:.0f} rows loaded, {x['transactions']:.0f} replayed",
                 f"{seconds:.2f} s: load {x['load_ms']:.0f} ms, replay {x['replay_ms']:.0f} ms, "
                 f"index {x['index_ms']:.0f} ms", f"< {limit_s} s", seconds < limit_s)
        times = x["peak_bytes"] / x["region_bytes"]
        self.add(f"{engine}: {work}, peak memory over the region's {mega(x['region_bytes'])}",
                 f"{times:.2f} x", "< 2 x", times < 2)

    def plugins(self):
        """Of the suite plugins; each work may be missing."""
        def of(work):
            return self.by.get((work, "perdure"))

        for work, what in (("plugin-commit", "one command"),
                           ("plugin-commit-state", "one command and 1 KiB of state")):
            if x := of(work):
                self.add(f"plugin: commit of {what}, p50, p99, p99.9",
                         ", ".join(micro(x[y]) for y in ("p50_ns", "p99_ns", "p999_ns")),
                         *(("p50 < 50 us", x["p50_ns"] < 50_000) if work == "plugin-commit"
                           else ()))
        for size in (64, 256):
            if x := of(f"plugin-batch-{size}"):
                self.add(f"plugin: commands in commits of {size}", f"{x['ops_s'] / 1e3:.0f} k/s",
                         ">= 200 k/s", x["ops_s"] >= 200_000)
        for host in ("inline", "process"):
            if x := of(f"plugin-call-{host}"):
                self.add(f"plugin: a call that does nothing, {host}; a window with it, p50",
                         f"{micro(x['call_ns'])}; {micro(x['p50_ns'])}",
                         *(("< 1 us", x["call_ns"] < 1000) if host == "inline" else ()))
        if x := of("plugin-restart"):
            self.add("plugin: from SIGKILL to the successor's first call, p50, max",
                     ", ".join(f"{x[y] / 1e6:.1f} ms" for y in ("p50_ns", "max_ns")),
                     "max < 200 ms", x["max_ns"] < 200_000_000)
        if x := of("stakes-paid"):
            seconds = x["stakes"] / x["ops_s"]
            self.add(f"plugin: yield pays {x['stakes']:.0f} stakes", f"{seconds:.2f} s", "< 6 s",
                     seconds < 6)
            self.add("plugin: a payment into the same treasury meanwhile, p50, p99, p99.9",
                     ", ".join(micro(x[y]) for y in ("p50_ns", "p99_ns", "p999_ns")),
                     "p99.9 < 1 ms", x["p999_ns"] < 1_000_000)
        if x := of("plugin-events"):
            self.add("plugin: events handed over", f"{x['ops_s'] / 1e3:.0f} k/s")
        self.deaths(of("plugin-deaths-before"), of("plugin-deaths"))
        if x := of("plugin-idle"):
            share = [f"{x[y] / 1e4:.2f} %" for y in
                     ("host_us", "minder_us", "watch_alone_us", "keeper_alone_us")]
            self.add("plugin: idle, of a processor: its process, its minder; without plugins, "
                     "watching for one, the keeper", f"{share[0]}, {share[1]}; {share[2]}, "
                     f"{share[3]}")

    def deaths(self, before, beside):
        if not before or not beside:
            return
        self.add("plugin: workers' commit p50 without, and beside deaths every 100 ms",
                 f"{before['p50_ns']} ns, {beside['p50_ns']} ns")
        ratio = beside["p50_ratio"]
        self.add("plugin: the same in pairs, median (least, most); of the rate",
                 f"{ratio:.3f} ({beside['p50_ratio_min']:.3f}, {beside['p50_ratio_max']:.3f}); "
                 f"{beside['rate_ratio']:.3f}", "0.9 to 1.1", 0.9 < ratio < 1.1)


def tell(lines):
    """Prints the table; nothing where no line is of these suites."""
    report = Report(lines)
    engines = ["perdure", "lmdb", "rocksdb", "sqlite", "redis"]
    for engine in engines:
        report.during(engine)
    report.alone()
    report.of_ledgers()
    for engine in engines:
        report.recovered("recover-checkpoint", engine, 0.5)
        report.recovered("recover-log", engine, 20)
    report.plugins()
    widths = [max(len(row[i]) for row in report.rows) for i in range(3)] if report.rows else []
    for row in report.rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths)]
        print("  ".join([*cells, row[3]]).rstrip())
