// SPDX-License-Identifier: Apache-2.0
#include <perdure/apps/cli/event_text.hpp>

#include <time.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include <fmt/format.h>

namespace perdure::apps {
namespace {

namespace json = boost::json;

constexpr std::size_t names_kept = 100'000;
constexpr std::size_t id_digits = 24;

std::string hexadecimal(std::span<const std::byte> bytes) {
    std::string out;
    for (const std::byte each : bytes) out += fmt::format("{:02x}", static_cast<unsigned>(each));
    return out;
}

std::uint32_t low_of(const account_words& account) noexcept {
    return static_cast<std::uint32_t>(account.low);
}

/// Nothing where there is no such row, or it cannot be had now.
template <class Row>
std::optional<Row> look_up(shm::reader& by, std::uint32_t table, const shm::row_key& key) {
    const auto row = by.read([&](view& seen) { return shm::get_key<Row>(seen, table, key); });
    return row ? std::optional(*row) : std::nullopt;
}

template <std::size_t Size>
std::string text_in(const std::array<char, Size>& from) {
    return shown({from.data(), ::strnlen(from.data(), from.size())});
}

}  // namespace

account_id account_named(const std::string& text) {
    if (text.size() == 2 + id_digits && text.starts_with("0x")) {
        account_id id;
        const char* middle = text.data() + 2 + 16;
        const auto high = std::from_chars(text.data() + 2, middle, id.high, 16);
        const auto low = std::from_chars(middle, text.data() + text.size(), id.low, 16);
        if (high.ptr == middle && low.ptr == text.data() + text.size()) return id;
    }
    if (!text.starts_with('@')) return account_id::of(text);
    std::uint64_t number = 0;
    const char* end = text.data() + text.size();
    const auto read = std::from_chars(text.data() + 1, end, number);
    if (read.ec != std::errc() || read.ptr != end) {
        throw failure(errc::bad_setting, "account " + text + ": behind @ there must be a number",
                      "name it, or write @ and its number");
    }
    return account_id::of(number);
}

std::string time_text(std::uint64_t wall_ns) {
    const auto seconds = static_cast<time_t>(wall_ns / 1'000'000'000);
    tm parts{};
    ::gmtime_r(&seconds, &parts);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900,
                       parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                       wall_ns / 1'000'000 % 1000);
}

std::string shown(std::string_view text) {
    std::string out(text);
    const auto is_control = [](char each) {
        const auto code = static_cast<unsigned char>(each);
        return code < 0x20 || code == 0x7f;
    };
    std::replace_if(out.begin(), out.end(), is_control, '?');
    // A parser refuses broken UTF-8; then nothing but ASCII is left.
    json::error_code wrong;
    json::parse(json::serialize(json::value(out)), wrong);
    const auto is_high = [](char each) { return static_cast<unsigned char>(each) >= 0x80; };
    if (wrong) std::replace_if(out.begin(), out.end(), is_high, '?');
    return out;
}

std::uint16_t type_named(std::span<const event_declaration> declared, const std::string& name) {
    std::string all;
    std::uint16_t before = 0;
    for (const auto& each : declared) {
        if (each.name == name) return each.type;
        if (each.type == before) continue;  // Another version.
        before = each.type;
        all += (all.empty() ? "" : ", ") + shown(each.name);
    }
    throw failure(errc::unknown_event, "event " + name + ": not declared in this world",
                  "one of: " + all);
}

const event_text::asset_facts& event_text::asset(std::uint32_t asset) {
    const auto known = assets_.find(asset);
    if (known != assets_.end()) return known->second;
    const auto row =
        look_up<asset_row>(by_, in_->books().numbers().assets, key_of(asset_id{asset}));
    if (!row) return assets_[asset] = {fmt::format("#{}", asset), 0};
    const auto scale = std::min<std::uint32_t>(row->scale, 18);
    return assets_[asset] = {text_in(row->code), static_cast<int>(scale)};
}

const std::string& event_text::account(const account_words& account) {
    const std::string key(reinterpret_cast<const char*>(&account), sizeof account);
    const auto known = accounts_.find(key);
    if (known != accounts_.end()) return known->second;
    if (accounts_.size() >= names_kept) accounts_.clear();
    const auto row =
        look_up<account_row>(by_, in_->books().numbers().accounts, {account.high, account.low});
    std::string text = row ? text_in(row->name) : "";
    if (text.empty() && account.low == 0) text = fmt::format("@{}", account.high);
    if (text.empty()) text = fmt::format("0x{:016x}{:08x}", account.high, low_of(account));
    return accounts_[key] = text;
}

std::string event_text::name(const shm::event_view& event) const {
    const auto* known = in_->events().find(event);
    return known == nullptr ? fmt::format("#{}", event.type) : shown(known->name);
}

json::value event_text::value(const event_declaration& known, const event_field& field,
                              const shm::event_view& event) {
    const auto bytes = event.payload.subspan(field.offset, field.bytes);
    if (field.unit == event_unit::account) {
        account_words account{};
        std::memcpy(&account, bytes.data(), sizeof account);
        return json::value(this->account(account));
    }
    if (field.type == shm::field_type::text) {
        const auto* text = reinterpret_cast<const char*>(bytes.data());
        return json::value(shown({text, ::strnlen(text, bytes.size())}));
    }
    if (field.bytes > sizeof(std::uint64_t)) return json::value(hexadecimal(bytes));
    const std::uint64_t word = known.word_of(field, event).value();
    if (field.unit == event_unit::asset) {
        return json::value(asset(static_cast<std::uint32_t>(word)).code);
    }
    if (field.unit == event_unit::wall_ns) return json::value(time_text(word));
    const auto number = static_cast<std::int64_t>(word);
    if (field.unit != event_unit::minor_units) {
        return field.type == shm::field_type::i64 ? json::value(number) : json::value(word);
    }
    // In the scale of the asset that the same event names.
    for (const auto& other : known.fields) {
        if (other.unit != event_unit::asset) continue;
        const auto which = static_cast<std::uint32_t>(known.word_of(other, event).value());
        return json::value(print_amount(number, asset(which).scale));
    }
    return json::value(number);
}

json::object event_text::fields(const shm::event_view& event) {
    const auto* known = in_->events().find(event);
    if (known == nullptr || event.payload.size() < known->bytes) {
        return {{"version", event.version}, {"payload", hexadecimal(event.payload)}};
    }
    json::object out;
    for (const auto& field : known->fields) out[shown(field.name)] = value(*known, field, event);
    return out;
}

std::string event_text::line(const shm::event_view& event) {
    std::string out;
    for (const auto& [name, value] : fields(event)) {
        if (!out.empty()) out += ' ';
        out += std::string(name) + '=';
        const bool is_text = value.is_string();
        out += is_text ? std::string(value.get_string()) : json::serialize(value);
    }
    return out;
}

}  // namespace perdure::apps
