// SPDX-License-Identifier: Apache-2.0
#include <dlfcn.h>

#include <algorithm>
#include <cstring>
#include <perdure/plugins/host/loaded_plugin.hpp>

namespace perdure::plugins {
namespace {

using entry = const perdure_plugin_api* (*)(const perdure_host_api*);

constexpr std::size_t least_api = offsetof(perdure_plugin_api, configure);

[[noreturn]] void refuse(errc code, const std::string& path, const std::string& cause,
                         const std::string& todo) {
    throw failure(code, "plugin " + path + ": " + cause, todo);
}

template <class T>
bool take(std::span<const std::byte>& from, T& out) noexcept {
    if (from.size() < sizeof(T)) return false;
    std::memcpy(&out, from.data(), sizeof(T));
    from = from.subspan(sizeof(T));
    return true;
}

std::string_view text_of(std::span<const std::byte> bytes) noexcept {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

loaded_plugin::loaded_plugin(const std::string& path, std::unique_ptr<services> given)
    : path_(path), services_(std::move(given)) {
    void* const file = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (file == nullptr) {
        const char* const why = ::dlerror();
        refuse(errc::bad_plugin, path, why == nullptr ? "dlopen" : why,
               "`perdure plugin inspect` names what it lacks; link it statically");
    }
    const auto open = reinterpret_cast<entry>(::dlsym(file, "perdure_plugin_entry_1"));
    if (open == nullptr) {
        refuse(errc::bad_plugin, path, "it does not export perdure_plugin_entry_1",
               "build it with perdure_add_plugin()");
    }
    const perdure_plugin_api* const api = open(&services_->host());
    if (api == nullptr) {
        refuse(errc::wrong_abi, path, "it will not run on this host", "read its documentation");
    }
    check(*api);
    std::memcpy(&api_, api, std::min<std::size_t>(api->size, sizeof api_));
    services_->begin(0, 0, 0);
    const std::int32_t made = api_.create(&services_->host(), &plugin_);
    services_->end();
    if (made != PERDURE_OK) {
        refuse(errc::plugin_failed, path, "create() answers " + std::to_string(made),
               "its log says more");
    }
}

/// Field by field, so that an author knows what to rebuild.
void loaded_plugin::check(const perdure_plugin_api& api) const {
    const auto mismatch = [&](const char* field, std::uint64_t has, std::uint64_t wanted) {
        refuse(errc::wrong_abi, path_,
               std::string(field) + " is " + std::to_string(has) + ", this host has " +
                   std::to_string(wanted),
               "build it against the headers of this package");
    };
    if (api.size < least_api || api.size % 8 != 0) mismatch("size", api.size, sizeof api);
    if (api.abi_major != PERDURE_PLUGIN_ABI_MAJOR) {
        mismatch("abi_major", api.abi_major, PERDURE_PLUGIN_ABI_MAJOR);
    }
    if (api.abi_minor <= PERDURE_PLUGIN_ABI_MINOR && api.size > sizeof api) {
        mismatch("size", api.size, sizeof api);
    }
    if (api.create == nullptr) mismatch("create", 0, 1);
}

ready_message loaded_plugin::about() const noexcept {
    const auto bit = [](message_kind kind, bool is_there) {
        return is_there ? 1ULL << static_cast<std::uint32_t>(kind) : 0;
    };
    return {api_.abi_major, api_.abi_minor,
            bit(message_kind::configure, api_.configure != nullptr) |
                bit(message_kind::migrate, api_.migrate != nullptr) |
                bit(message_kind::activate, api_.activate != nullptr) |
                bit(message_kind::tick, api_.on_tick != nullptr) |
                bit(message_kind::events, api_.on_events != nullptr) |
                bit(message_kind::quiesce, api_.quiesce != nullptr) |
                bit(message_kind::self_test, api_.self_test != nullptr)};
}

result<std::int32_t> loaded_plugin::tick(std::span<const std::byte> payload) {
    perdure_tick tick;
    if (payload.size() != sizeof tick || !take(payload, tick)) return errc::garbled;
    if (api_.on_tick == nullptr) return PERDURE_OK;
    services_->begin(generation_, tick.window, tick.to_ns);
    return api_.on_tick(plugin_, &tick);
}

result<std::int32_t> loaded_plugin::told(std::span<const std::byte> payload) {
    events_message front;
    if (!take(payload, front) || front.count > message_bytes_max / sizeof(told_event)) {
        return errc::garbled;
    }
    events_.clear();
    for (std::uint64_t i = 0; i < front.count; ++i) {
        told_event each;
        if (!take(payload, each) || each.payload_bytes > payload.size()) return errc::garbled;
        events_.push_back({sizeof(perdure_event), each.type, each.version, each.lsn, each.wall_ns,
                           each.world_time, payload.data(), each.payload_bytes, 0});
        const std::size_t whole = (each.payload_bytes + 7ULL) / 8 * 8;
        payload = payload.subspan(std::min(whole, payload.size()));
    }
    if (api_.on_events == nullptr) return PERDURE_OK;
    services_->begin(generation_, 0, front.world_ns);
    return api_.on_events(plugin_, events_.data(), events_.size(), front.first_lsn, front.last_lsn);
}

result<std::int32_t> loaded_plugin::change(message_kind kind, std::span<const std::byte> payload) {
    std::uint64_t number = 0;
    if (!take(payload, number)) return errc::garbled;
    services_->begin(generation_, 0, 0);
    switch (kind) {
        case message_kind::configure: {
            if (api_.configure == nullptr) return PERDURE_OK;
            const auto json = text_of(payload);
            return api_.configure(plugin_, json.data(), json.size(), number != 0 ? 1 : 0);
        }
        case message_kind::migrate:
            if (api_.migrate == nullptr) return PERDURE_OK;
            return api_.migrate(plugin_, static_cast<std::uint32_t>(number),
                                static_cast<std::uint32_t>(number >> 32));
        case message_kind::activate:
            generation_ = number;
            return api_.activate == nullptr ? PERDURE_OK : api_.activate(plugin_, number);
        case message_kind::quiesce:
            return api_.quiesce == nullptr ? PERDURE_OK : api_.quiesce(plugin_, number);
        default: return errc::garbled;
    }
}

result<std::int32_t> loaded_plugin::call(message_kind kind, std::span<const std::byte> payload) {
    const auto answer = [&]() -> result<std::int32_t> {
        switch (kind) {
            case message_kind::tick: return tick(payload);
            case message_kind::events: return told(payload);
            case message_kind::self_test:
                return api_.self_test == nullptr ? PERDURE_OK : api_.self_test(plugin_);
            case message_kind::end:
                if (api_.destroy != nullptr) api_.destroy(plugin_);
                plugin_ = nullptr;
                return PERDURE_OK;
            default: return change(kind, payload);
        }
    }();
    services_->end();
    return answer;
}

}  // namespace perdure::plugins
