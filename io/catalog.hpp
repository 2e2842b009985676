// SPDX-License-Identifier: Apache-2.0
//
// WORLD/catalog.db: what happened to a world, as SQL for people and tools.
//
// Promise     Nothing depends on it: the MANIFEST and the journal are the authority. A catalog that
//             is missing is made, one that is broken or of another schema is first set aside as
//             catalog.db.broken. What cannot be noted is told by last_error() and does not stop
//             anybody; each further call tries anew, with a new file if that is what it takes.
// Death       A note is there in whole or not at all; the next that opens to write undoes what a
//             dead process had begun, and until then look() may find nothing.
// Power loss  The last notes may be missing, never a part of one.
// Threads     One object, one thread at a time, and not on both sides of a fork(). Any number of
//             objects and processes: each step of a call waits catalog_lock_wait_ms at most for
//             the others. A note waits for the disk, too: not for a thread that is waited for.
// Format      docs/formats/catalog.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace perdure::io {

inline constexpr int catalog_schema_version = 1;
inline constexpr int catalog_lock_wait_ms = 200;
/// Older rows of a history give way, but for checkpoints that are valid.
inline constexpr int catalog_history_rows_max = 100'000;

struct checkpoint_fact {
    enum class extent : std::uint8_t { full = 1, incremental = 2 };
    enum class standing : std::uint8_t { valid = 1, retired = 2, rejected = 3, failed = 4 };

    std::string id{};  ///< to_string() of its uuid.
    std::uint64_t lsn = 0;
    std::string parent{};  ///< Empty, or the id of the one that it builds upon.
    extent kind = extent::full;
    std::uint64_t created_ns = 0;
    std::uint64_t rows = 0;
    std::uint64_t raw_bytes = 0;
    std::uint64_t stored_bytes = 0;
    std::uint64_t capture_us = 0;
    std::uint64_t cut_us = 0;
    std::uint64_t write_ms = 0;
    std::string trigger{};
    standing state = standing::valid;
    std::string note{};

    bool operator==(const checkpoint_fact&) const = default;
};

struct recovery_fact {
    struct attempt {
        std::string what{};
        std::string verdict{};
        bool operator==(const attempt&) const = default;
    };
    struct phase {
        std::string name{};
        std::uint64_t milliseconds = 0;
        bool operator==(const phase&) const = default;
    };

    std::uint64_t seq = 0;  ///< The catalog gives it; what stands here in a note is not read.
    std::uint64_t at_ns = 0;
    std::uint64_t incarnation = 0;
    std::string reason{};
    std::string source{};          ///< A checkpoint's id, or "journal".
    std::vector<attempt> tried{};  ///< In the order they were tried.
    std::uint64_t last_lsn = 0;
    std::uint64_t lost_transactions = 0;
    std::uint64_t milliseconds = 0;
    std::vector<phase> phases{};

    bool operator==(const recovery_fact&) const = default;
};

struct component_fact {
    std::string name{};
    std::string state{};
    int health = 100;  ///< 0 to 100; another is an error.
    std::uint64_t last_activity_ns = 0;
    std::string note{};

    bool operator==(const component_fact&) const = default;
};

struct validation_fact {
    std::uint64_t seq = 0;  ///< The catalog gives it; what stands here in a note is not read.
    std::uint64_t at_ns = 0;
    std::string kind{};  ///< "verify", "deep", "scrub", "checkpoint".
    std::uint64_t lsn = 0;
    int score = 100;  ///< 0 to 100; another is an error.
    std::uint64_t problems = 0;
    std::string note{};

    bool operator==(const validation_fact&) const = default;
};

class catalog {
  public:
    /// To write and to read. Whatever lies there, this is an object that can be used: remark() says
    /// what was done, last_error() what could not be.
    [[nodiscard]] static catalog open(std::string directory);
    /// To read only, and changes nothing. Empty if there is no catalog that can be read.
    [[nodiscard]] static std::optional<catalog> look(std::string directory);

    catalog(const catalog&) = delete;
    catalog& operator=(const catalog&) = delete;
    catalog(catalog&&) noexcept;
    catalog& operator=(catalog&&) noexcept;
    ~catalog();

    /// Replaces the one with that id.
    void note(const checkpoint_fact& fact) noexcept;
    void note(const recovery_fact& fact) noexcept;
    /// Replaces the one of that name.
    void note(const component_fact& fact) noexcept { note(std::span(&fact, 1)); }
    /// The same for all of them, at the price of one.
    void note(std::span<const component_fact> facts) noexcept;
    void note(const validation_fact& fact) noexcept;
    /// Takes over the states of checkpoints that it knows; those that it does not know are added.
    void note_states(std::span<const checkpoint_fact> facts) noexcept;

    /// Makes the catalog say that these checkpoints are all there are: those that it does not know
    /// are added, of those that it knows only the state is taken over, and every other one that it
    /// holds for valid is marked as retired.
    void rebuild(std::span<const checkpoint_fact> facts) noexcept;

    /// Newest first; empty where there was an error.
    [[nodiscard]] std::vector<checkpoint_fact> checkpoints(std::size_t limit);
    [[nodiscard]] std::vector<recovery_fact> recoveries(std::size_t limit);
    [[nodiscard]] std::vector<component_fact> components();
    [[nodiscard]] std::vector<validation_fact> validations(std::size_t limit);

    /// What was found and done when the file was last opened; empty if all was well.
    [[nodiscard]] const std::string& remark() const noexcept { return remark_; }
    /// Rises when a file is opened: it may be another one than before, and lack what was noted.
    [[nodiscard]] std::uint64_t openings() const noexcept { return openings_; }
    /// Why the last call did not do what it should have done; empty if it did.
    [[nodiscard]] const std::string& last_error() const noexcept { return last_error_; }

  private:
    struct connection;

    catalog(std::string directory, bool may_write) noexcept;
    void connect();
    void connect_to_write();
    template <class Work>
    bool attempt(const Work& work) noexcept;
    template <class Work>
    bool change(const Work& work) noexcept;

    std::string directory_;
    bool may_write_;
    std::uint64_t openings_ = 0;
    std::string remark_;
    std::string last_error_;
    std::unique_ptr<connection> connection_;
};

/// WORLD/catalog.db.
[[nodiscard]] std::string catalog_path(const std::string& directory);

}  // namespace perdure::io
