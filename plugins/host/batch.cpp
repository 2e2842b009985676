// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <perdure/plugins/host/batch.hpp>
#include <perdure/shm/crc32c.hpp>

namespace perdure::plugins {
namespace {

constexpr std::size_t rounded(std::size_t bytes) noexcept { return (bytes + 7) / 8 * 8; }

constexpr std::size_t crc_from = offsetof(batch_header, crc) + sizeof(batch_header::crc);

template <class T>
std::span<const std::byte> bytes_of(const T& of) noexcept {
    return std::as_bytes(std::span(&of, 1));
}

constexpr shm::transaction_key key_in(const perdure_id& id) noexcept { return {id.high, id.low}; }

void fill_up(std::vector<std::byte>& bytes) { bytes.resize(rounded(bytes.size())); }

/// Takes pieces off the front; false when there is too little left.
class walk {
  public:
    explicit walk(std::span<const std::byte> bytes) noexcept : rest_(bytes) {}

    template <class T>
    bool take(T& out) noexcept {
        if (rest_.size() < sizeof(T)) return false;
        std::memcpy(&out, rest_.data(), sizeof(T));
        rest_ = rest_.subspan(sizeof(T));
        return true;
    }
    /// `bytes` of a piece that is filled with zeros (A4).
    bool take(std::size_t bytes, std::span<const std::byte>& out) noexcept {
        const std::size_t whole = rounded(bytes);
        if (whole < bytes || rest_.size() < whole) return false;
        out = rest_.first(bytes);
        const auto filling = rest_.subspan(bytes, whole - bytes);
        rest_ = rest_.subspan(whole);
        return std::ranges::all_of(filling, [](std::byte b) { return b == std::byte{0}; });
    }
    [[nodiscard]] bool is_empty() const noexcept { return rest_.empty(); }

  private:
    std::span<const std::byte> rest_;
};

bool take_command(walk& from, command_view& out) noexcept {
    if (!from.take(out.command)) return false;
    const auto& c = out.command;
    if (c.reserved != 0 || c.payload_bytes > payload_bytes_max || c.payload_bytes % 8 != 0) {
        return false;
    }
    return from.take(c.payload_bytes, out.payload);
}

bool take_state(walk& from, state_view& out) noexcept {
    batch_state state;
    if (!from.take(state)) return false;
    out.is_erased = state.value_bytes == erased;
    const std::uint32_t value_bytes = out.is_erased ? 0 : state.value_bytes;
    if (state.key_bytes == 0 || state.key_bytes > state_key_bytes_max) return false;
    if (value_bytes > state_value_bytes_max) return false;
    return from.take(state.key_bytes, out.key) && from.take(value_bytes, out.value);
}

}  // namespace

void batch_writer::append(std::span<const std::byte> more) {
    whole_.insert(whole_.end(), more.begin(), more.end());
}

result<> batch_writer::add(const perdure_command& command) {
    const std::uint32_t payload = command.payload_bytes;
    if (command.size != sizeof(perdure_command) || command.kind == 0 ||
        command.kind > PERDURE_COMMAND_REFUSE_STAKE || payload > payload_bytes_max ||
        payload % 8 != 0 || (payload != 0 && command.payload == nullptr)) {
        return errc::bad_command;
    }
    const std::size_t more = sizeof(batch_command) + payload;
    if (command_count_ == batch_commands_max ||
        sizeof(batch_header) + commands_.size() + states_.size() + more > batch_bytes_max) {
        return errc::transaction_too_large;
    }
    const batch_command made{command.kind,
                             command.asset,
                             key_in(command.source),
                             key_in(command.target),
                             key_in(command.object),
                             command.amount,
                             command.reference,
                             command.until,
                             command.reason,
                             command.event_type,
                             command.event_version,
                             payload,
                             0};
    const auto fixed = bytes_of(made);
    commands_.insert(commands_.end(), fixed.begin(), fixed.end());
    const auto* const from = static_cast<const std::byte*>(command.payload);
    if (payload != 0) commands_.insert(commands_.end(), from, from + payload);
    ++command_count_;
    return {};
}

result<> batch_writer::add_state(std::span<const std::byte> key, std::span<const std::byte> value,
                                 std::uint32_t value_bytes) {
    if (key.empty() || key.size() > state_key_bytes_max) return errc::bad_name;
    if (value.size() > state_value_bytes_max) return errc::value_too_large;
    const std::size_t more = sizeof(batch_state) + rounded(key.size()) + rounded(value.size());
    if (state_count_ == batch_states_max ||
        sizeof(batch_header) + commands_.size() + states_.size() + more > batch_bytes_max) {
        return errc::transaction_too_large;
    }
    const batch_state made{static_cast<std::uint32_t>(key.size()), value_bytes};
    const auto fixed = bytes_of(made);
    states_.insert(states_.end(), fixed.begin(), fixed.end());
    states_.insert(states_.end(), key.begin(), key.end());
    fill_up(states_);
    states_.insert(states_.end(), value.begin(), value.end());
    fill_up(states_);
    ++state_count_;
    return {};
}

result<> batch_writer::put(std::span<const std::byte> key, std::span<const std::byte> value) {
    return add_state(key, value, static_cast<std::uint32_t>(value.size()));
}

result<> batch_writer::erase(std::span<const std::byte> key) { return add_state(key, {}, erased); }

void batch_writer::clear() noexcept {
    commands_.clear();
    states_.clear();
    command_count_ = state_count_ = 0;
}

std::span<const std::byte> batch_writer::finish(const batch_origin& origin,
                                                std::uint64_t position) {
    batch_header header{
        batch_magic,
        static_cast<std::uint32_t>(sizeof(batch_header) + commands_.size() + states_.size()),
        0,
        origin.world,
        origin.plugin,
        origin.generation,
        origin.window,
        position,
        command_count_,
        state_count_};
    whole_.clear();
    append(bytes_of(header));
    append(commands_);
    append(states_);
    header.crc = shm::crc32c(std::span<const std::byte>(whole_).subspan(crc_from));
    std::memcpy(whole_.data(), &header, sizeof header);
    return whole_;
}

result<batch_view> take_apart(std::span<const std::byte> bytes) {
    batch_view out{};
    walk from(bytes);
    if (bytes.size() > batch_bytes_max || !from.take(out.header)) return errc::garbled;
    const auto& header = out.header;
    if (header.magic != batch_magic || header.bytes != bytes.size() ||
        header.commands > batch_commands_max || header.states > batch_states_max ||
        header.crc != shm::crc32c(bytes.subspan(crc_from))) {
        return errc::garbled;
    }
    out.commands.resize(header.commands);
    for (auto& each : out.commands) {
        if (!take_command(from, each)) return errc::garbled;
    }
    out.states.resize(header.states);
    for (auto& each : out.states) {
        if (!take_state(from, each)) return errc::garbled;
    }
    if (!from.is_empty()) return errc::garbled;
    return out;
}

}  // namespace perdure::plugins
