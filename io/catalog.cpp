// SPDX-License-Identifier: Apache-2.0
#include <perdure/io/catalog.hpp>

#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>
#include <sys/stat.h>

#include <array>
#include <stdexcept>
#include <string_view>
#include <utility>

#include <perdure/io/catalog_folder.hpp>
#include <perdure/io/catalog_json.hpp>
#include <perdure/io/catalog_tables.hpp>

namespace perdure::io {
namespace {

using soci::into;
using soci::use;

constexpr const char* checkpoint_columns =
    "id, lsn, parent, kind, created_ns, rows, raw_bytes, stored_bytes, capture_us, cut_us, "
    "write_ms, \"trigger\", state, note";

// By the enumerators' numbers.
constexpr std::array<std::string_view, 3> extent_names{"", "full", "incremental"};
constexpr std::array<std::string_view, 5> standing_names{"", "valid", "retired", "rejected",
                                                         "failed"};

template <class Enum, std::size_t Count>
std::string name_of(const std::array<std::string_view, Count>& names, Enum value) {
    return std::string(names.at(static_cast<std::size_t>(value)));
}

template <class Enum, std::size_t Count>
Enum named(const std::array<std::string_view, Count>& names, std::string_view name) {
    for (std::size_t number = 1; number < Count; ++number) {
        if (names[number] == name) return static_cast<Enum>(number);
    }
    throw std::runtime_error("a checkpoint is \"" + std::string(name) + "\"");
}

/// What SQLite said, without where in SOCI it was said.
std::string text_of(const std::exception& why) {
    const auto* const from_sql = dynamic_cast<const soci::soci_error*>(&why);
    std::string text = from_sql != nullptr ? from_sql->get_error_message() : why.what();
    const std::size_t mark = text.find(": ");
    if (text.starts_with("sqlite3_") && mark != std::string::npos) text.erase(0, mark + 2);
    return text;
}

void make_tables(soci::session& sql) {
    sql << "BEGIN IMMEDIATE";
    for (const catalog_table& each : catalog_tables) sql << each.sql;
    sql << "PRAGMA user_version = " << catalog_schema_version;
    sql << "COMMIT";
}

/// What is wrong with the schema, empty if nothing is. Makes that of a new file.
std::string fault_of_schema(soci::session& sql, bool may_write) {
    int version = 0;
    int objects = 0;
    sql << "PRAGMA user_version", into(version);
    sql << "SELECT count(*) FROM sqlite_master", into(objects);
    if (version == 0 && objects == 0 && may_write) {
        make_tables(sql);
        version = catalog_schema_version;
    }
    if (version != catalog_schema_version) {
        return "its schema is version " + std::to_string(version) + ", and not " +
               std::to_string(catalog_schema_version);
    }
    for (const catalog_table& each : catalog_tables) {
        const std::string name = each.name;
        std::string text;
        sql << "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?", into(text),
            use(name);
        if (text != each.sql) return "its table " + name + " has other columns";
    }
    return {};
}

/// What is wrong with the file, empty if nothing is. Throws where that cannot be known.
std::string fault_of(soci::session& sql, bool may_write) {
    try {
        std::string fault = fault_of_schema(sql, may_write);
        if (!fault.empty() || !may_write) return fault;
        std::string verdict;
        sql << "PRAGMA quick_check(1)", into(verdict);
        return verdict == "ok" ? "" : verdict;
    } catch (const soci::sqlite3_soci_error& why) {
        switch (why.result()) {
            case SQLITE_CORRUPT:
            case SQLITE_NOTADB:
            case SQLITE_ERROR: return text_of(why);
            default: throw;  // Locked, full, not readable: that says nothing of the content.
        }
    }
}

/// To SQLite, what is below 0 is no limit.
std::int64_t row_limit(std::size_t limit) noexcept { return static_cast<std::int64_t>(limit); }

enum class known { replace = 1, take_state = 2 };

/// `if_known` says what happens to a row of that id.
void insert(soci::session& sql, const checkpoint_fact& fact, known if_known) {
    const bool replace = if_known == known::replace;
    const std::string kind = name_of(extent_names, fact.kind);
    const std::string state = name_of(standing_names, fact.state);
    sql << (replace ? "INSERT OR REPLACE" : "INSERT") << " INTO checkpoints (" << checkpoint_columns
        << ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        << (replace ? "" : " ON CONFLICT (id) DO UPDATE SET state = excluded.state"),
        use(fact.id), use(fact.lsn), use(fact.parent), use(kind), use(fact.created_ns),
        use(fact.rows), use(fact.raw_bytes), use(fact.stored_bytes), use(fact.capture_us),
        use(fact.cut_us), use(fact.write_ms), use(fact.trigger), use(state), use(fact.note);
}

void trim_checkpoints(soci::session& sql) {
    sql << "DELETE FROM checkpoints WHERE state <> 'valid' AND rowid <= "
           "(SELECT max(rowid) FROM checkpoints) - "
        << catalog_history_rows_max;
}

}  // namespace

struct catalog::connection {
    explicit connection(const std::string& directory) : place(directory) {}

    /// Requires: `expected` is a file. Throws if another has come in its place.
    void open(const struct stat& expected, bool may_write) {
        sql.open(*soci::factory_sqlite3(),
                 "db=" + place.file_path() + (may_write ? "" : " readonly=1"));
        const auto found = place.entry();
        if (!found || !is_same_file(*found, expected)) {
            throw std::runtime_error("it was replaced while it was opened");
        }
        file = expected;
        sql << "PRAGMA busy_timeout = " << catalog_lock_wait_ms;
        // Who cuts a file that is mapped kills the keeper (SIGBUS); WAL would map one, too.
        sql << "PRAGMA mmap_size = 0";
    }

    void prepare_to_write() {
        sql << "PRAGMA journal_mode = TRUNCATE";
        sql << "PRAGMA synchronous = NORMAL";
    }

    catalog_folder place;  // Outlives the session, which reaches the file through it.
    soci::session sql;
    struct stat file {};
};

std::string catalog_path(const std::string& directory) { return directory + "/" + catalog_name; }

catalog::catalog(std::string directory, bool may_write) noexcept
    : directory_(std::move(directory)), may_write_(may_write) {}
catalog::catalog(catalog&&) noexcept = default;
catalog& catalog::operator=(catalog&&) noexcept = default;
catalog::~catalog() = default;

catalog catalog::open(std::string directory) {
    catalog made(std::move(directory), true);
    made.attempt([](soci::session&) {});
    return made;
}

std::optional<catalog> catalog::look(std::string directory) {
    catalog made(std::move(directory), false);
    if (!made.attempt([](soci::session&) {})) return std::nullopt;
    return made;
}

/// Throws where it cannot.
void catalog::connect() {
    struct stat now {};
    if (connection_ && ::lstat(catalog_path(directory_).c_str(), &now) == 0 &&
        is_same_file(now, connection_->file)) {
        return;
    }
    connection_.reset();
    if (may_write_) return connect_to_write();
    auto fresh = std::make_unique<connection>(directory_);
    const auto found = fresh->place.entry();
    if (!found || !S_ISREG(found->st_mode)) throw std::runtime_error("there is no such file");
    fresh->open(*found, may_write_);
    const std::string fault = fault_of(fresh->sql, may_write_);
    if (!fault.empty()) throw std::runtime_error(fault);
    connection_ = std::move(fresh);
    ++openings_;
}

/// Sets aside what cannot be used. Throws where it cannot.
void catalog::connect_to_write() {
    remark_.clear();
    catalog_folder gate(directory_);
    gate.lock(catalog_lock_wait_ms);
    std::string fault;
    for (int round = 0; round < 2; ++round) {
        auto fresh = std::make_unique<connection>(directory_);
        auto found = fresh->place.entry();
        if (!found) {
            fresh->place.make_file();
            remark_ +=
                remark_.empty() ? "there was none: a new one was made" : ", and a new one was made";
            found = fresh->place.entry();
        }
        if (!found || !S_ISREG(found->st_mode)) {
            fault = "it is not a file";
        } else {
            fresh->open(*found, may_write_);
            fault = fault_of(fresh->sql, may_write_);
        }
        if (fault.empty()) {
            fresh->prepare_to_write();
            connection_ = std::move(fresh);
            ++openings_;
            return;
        }
        fresh.reset();
        gate.set_aside();
        remark_ = fault + ": it is now " + broken_catalog_name;
    }
    throw std::runtime_error(fault);
}

template <class Work>
bool catalog::attempt(const Work& work) noexcept {
    last_error_.clear();
    try {
        connect();
        work(connection_->sql);
        return true;
    } catch (const std::exception& why) {
        // It may stand amid a transaction, or its file be broken: the next call looks anew.
        connection_.reset();
        last_error_ = catalog_path(directory_) + ": " + text_of(why);
        return false;
    }
}

template <class Work>
bool catalog::change(const Work& work) noexcept {
    return attempt([&](soci::session& sql) {
        if (!may_write_) throw std::runtime_error("it was opened to be looked at");
        sql << "BEGIN IMMEDIATE";
        work(sql);
        sql << "COMMIT";
    });
}

void catalog::note(const checkpoint_fact& fact) noexcept {
    change([&](soci::session& sql) {
        insert(sql, fact, known::replace);
        trim_checkpoints(sql);
    });
}

void catalog::note(const recovery_fact& fact) noexcept {
    change([&](soci::session& sql) {
        const std::string tried = json_of(fact.tried);
        const std::string phases = json_of(fact.phases);
        sql << "INSERT INTO recoveries (at_ns, incarnation, reason, source, tried, last_lsn, "
               "lost_transactions, milliseconds, phases) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            use(fact.at_ns), use(fact.incarnation), use(fact.reason), use(fact.source), use(tried),
            use(fact.last_lsn), use(fact.lost_transactions), use(fact.milliseconds), use(phases);
        sql << "DELETE FROM recoveries WHERE seq <= last_insert_rowid() - "
            << catalog_history_rows_max;
    });
}

void catalog::note(std::span<const component_fact> facts) noexcept {
    change([&](soci::session& sql) {
        for (const component_fact& fact : facts) {
            sql << "INSERT OR REPLACE INTO components "
                   "(name, state, health, last_activity_ns, note) VALUES (?, ?, ?, ?, ?)",
                use(fact.name), use(fact.state), use(fact.health), use(fact.last_activity_ns),
                use(fact.note);
        }
    });
}

void catalog::note(const validation_fact& fact) noexcept {
    change([&](soci::session& sql) {
        sql << "INSERT INTO validations (at_ns, kind, lsn, score, problems, note) "
               "VALUES (?, ?, ?, ?, ?, ?)",
            use(fact.at_ns), use(fact.kind), use(fact.lsn), use(fact.score), use(fact.problems),
            use(fact.note);
        sql << "DELETE FROM validations WHERE seq <= last_insert_rowid() - "
            << catalog_history_rows_max;
    });
}

void catalog::note_states(std::span<const checkpoint_fact> facts) noexcept {
    change([&](soci::session& sql) {
        for (const checkpoint_fact& fact : facts) insert(sql, fact, known::take_state);
    });
}

void catalog::rebuild(std::span<const checkpoint_fact> facts) noexcept {
    change([&](soci::session& sql) {
        sql << "UPDATE checkpoints SET state = 'retired' WHERE state = 'valid'";
        for (const checkpoint_fact& fact : facts) insert(sql, fact, known::take_state);
        trim_checkpoints(sql);
    });
}

std::vector<checkpoint_fact> catalog::checkpoints(std::size_t limit) {
    std::vector<checkpoint_fact> found;
    const bool whole = attempt([&](soci::session& sql) {
        const std::int64_t most = row_limit(limit);
        checkpoint_fact row;
        std::string kind;
        std::string state;
        soci::statement rows =
            (sql.prepare << "SELECT " << checkpoint_columns
                         << " FROM checkpoints ORDER BY created_ns DESC, rowid DESC LIMIT ?",
             into(row.id), into(row.lsn), into(row.parent), into(kind), into(row.created_ns),
             into(row.rows), into(row.raw_bytes), into(row.stored_bytes), into(row.capture_us),
             into(row.cut_us), into(row.write_ms), into(row.trigger), into(state), into(row.note),
             use(most));
        rows.execute();
        while (rows.fetch()) {
            row.kind = named<checkpoint_fact::extent>(extent_names, kind);
            row.state = named<checkpoint_fact::standing>(standing_names, state);
            found.push_back(row);
        }
    });
    return whole ? found : std::vector<checkpoint_fact>{};
}

std::vector<recovery_fact> catalog::recoveries(std::size_t limit) {
    std::vector<recovery_fact> found;
    const bool whole = attempt([&](soci::session& sql) {
        const std::int64_t most = row_limit(limit);
        recovery_fact row;
        std::string tried;
        std::string phases;
        soci::statement rows =
            (sql.prepare << "SELECT seq, at_ns, incarnation, reason, source, tried, last_lsn, "
                            "lost_transactions, milliseconds, phases FROM recoveries "
                            "ORDER BY seq DESC LIMIT ?",
             into(row.seq), into(row.at_ns), into(row.incarnation), into(row.reason),
             into(row.source), into(tried), into(row.last_lsn), into(row.lost_transactions),
             into(row.milliseconds), into(phases), use(most));
        rows.execute();
        while (rows.fetch()) {
            row.tried = attempts_in(tried);
            row.phases = phases_in(phases);
            found.push_back(row);
        }
    });
    return whole ? found : std::vector<recovery_fact>{};
}

std::vector<component_fact> catalog::components() {
    std::vector<component_fact> found;
    const bool whole = attempt([&](soci::session& sql) {
        component_fact row;
        soci::statement rows =
            (sql.prepare << "SELECT name, state, health, last_activity_ns, note FROM components "
                            "ORDER BY last_activity_ns DESC, name",
             into(row.name), into(row.state), into(row.health), into(row.last_activity_ns),
             into(row.note));
        rows.execute();
        while (rows.fetch()) found.push_back(row);
    });
    return whole ? found : std::vector<component_fact>{};
}

std::vector<validation_fact> catalog::validations(std::size_t limit) {
    std::vector<validation_fact> found;
    const bool whole = attempt([&](soci::session& sql) {
        const std::int64_t most = row_limit(limit);
        validation_fact row;
        soci::statement rows =
            (sql.prepare << "SELECT seq, at_ns, kind, lsn, score, problems, note "
                            "FROM validations ORDER BY seq DESC LIMIT ?",
             into(row.seq), into(row.at_ns), into(row.kind), into(row.lsn), into(row.score),
             into(row.problems), into(row.note), use(most));
        rows.execute();
        while (rows.fetch()) found.push_back(row);
    });
    return whole ? found : std::vector<validation_fact>{};
}

}  // namespace perdure::io
