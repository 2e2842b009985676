// SPDX-License-Identifier: Apache-2.0
//
// What the verbs of perdure state share: an open world, a named document, files.
//
// Promise     A refusal names the document, the cause and the remedy.
// Threads     The main thread.
#pragma once

#include <perdure/apps/cli/configuration.hpp>
#include <perdure/apps/cli/state.hpp>

namespace perdure::apps {

/// A world that was opened for one verb.
struct state_place {
    explicit state_place(const world_choice& where) : in(open_world(where)), by(in.join()) {}

    [[nodiscard]] const documents& all() const noexcept { return in.documents(); }

    /// Throws failure with `thing` unless the answer is a value.
    template <class T>
    T need(result<T> answer, const std::string& thing) {
        if (!answer) refuse(thing, answer.error());
        if constexpr (!std::is_void_v<T>) return std::move(*answer);
    }
    template <class Closure>
    auto read(const std::string& thing, Closure&& closure) {
        return need(by.read(std::forward<Closure>(closure)), thing);
    }
    /// Until it survives power loss.
    void make_durable(const receipt& paid, const std::string& thing) {
        need(in.wait(by, paid, durability::durable), thing);
    }
    [[noreturn]] static void refuse(const std::string& thing, errc why);

    world in;
    session by;
};

/// COLLECTION/NAME. Throws failure: bad_name. The parts lie in `text`.
[[nodiscard]] document_name name_in(const std::string& text);

/// The whole of a file, or of standard input when `path` is empty. Throws failure: io_error,
/// value_too_large.
[[nodiscard]] std::string read_whole(const std::string& path);
/// To a file that is not there yet, or to standard output when `path` is empty.
/// Throws failure: io_error, exists.
void write_whole(const std::string& path, std::string_view value);

/// "json" or "binary".
[[nodiscard]] std::string_view spell(document_kind kind) noexcept;

}  // namespace perdure::apps
