// SPDX-License-Identifier: Apache-2.0
//
// Plugins in C++: a class with the functions it needs becomes a perdure_plugin_api.
//
//     class yield : public perdure::plugin<yield> {
//       public:
//         void on_tick(const perdure_tick& tick);
//     };
//     PERDURE_EXPORT_PLUGIN(yield)
//
// Promise     A function that the class does not have is NULL in its api; one of another form than
//             below does not compile. What a function throws becomes its status and a line in the
//             log; nothing is thrown across.
// Threads     As perdure_plugin.h.
#pragma once

#include <memory>

#include <perdure/plugins/sdk/batch.hpp>
#include <perdure/plugins/sdk/event_list.hpp>
#include <perdure/plugins/sdk/host.hpp>

namespace perdure {

// PERDURE_OPTIONAL_MEMBER(on_tick, arguments): has_on_tick<Self> says whether the class has a
// member of that name, calls_on_tick<Self> whether it can be called so. A name beside another form
// is a slip, which must not become a plugin that is never called.
#define PERDURE_OPTIONAL_MEMBER(member, arguments) \
    struct named_##member { \
        int member; \
    }; \
    template <class Self, class = void> \
    struct has_##member : std::true_type {}; \
    template <class Self> \
    struct has_##member<Self, std::void_t<decltype(&either<Self, named_##member>::member)>> \
        : std::false_type {}; \
    template <class Self, class = void> \
    struct calls_##member : std::false_type {}; \
    template <class Self> \
    struct calls_##member<Self, std::void_t<decltype(std::declval<Self&>().member arguments)>> \
        : std::true_type {}

namespace sdk {

// The name is in both bases, and so ambiguous, when the class has it.
template <class Self, class Named>
struct either : Self, Named {};

PERDURE_OPTIONAL_MEMBER(configure, (std::string_view(), bool()));
PERDURE_OPTIONAL_MEMBER(migrate, (std::uint32_t(), std::uint32_t()));
PERDURE_OPTIONAL_MEMBER(activate, (std::uint64_t()));
PERDURE_OPTIONAL_MEMBER(on_tick, (std::declval<const perdure_tick&>()));
PERDURE_OPTIONAL_MEMBER(on_events, (std::declval<const event_list&>()));
PERDURE_OPTIONAL_MEMBER(quiesce, (std::uint64_t()));
PERDURE_OPTIONAL_MEMBER(self_test, ());

template <class Self>
struct edge;

}  // namespace sdk
#undef PERDURE_OPTIONAL_MEMBER

template <class Self>
class plugin {
  public:
    plugin() = default;
    plugin(const plugin&) = delete;
    plugin& operator=(const plugin&) = delete;

  protected:
    ~plugin() = default;
    /// Not yet in the constructor, which may take a const perdure::host& of its own.
    [[nodiscard]] const perdure::host& host() const noexcept { return *host_; }

  private:
    friend struct sdk::edge<Self>;
    const perdure::host* host_ = nullptr;
};

namespace sdk {

/// Where calls of the host become calls of the class, and exceptions end.
template <class Self>
struct edge {
    /// What create() hands out: the class and what it sees.
    struct instance {
        explicit instance(const perdure_host_api& api) : seen(api), self(built(seen)) {
            static_cast<plugin<Self>&>(*self).host_ = &seen;
        }
        static std::unique_ptr<Self> built(const host& seen) {
            if constexpr (std::is_constructible_v<Self, const host&>) {
                return std::make_unique<Self>(seen);
            } else {
                return std::make_unique<Self>();
            }
        }
        host seen;
        std::unique_ptr<Self> self;
    };

    static void tell(const log_service& log, const char* where, const char* what) noexcept {
        try {
            log.error(std::string(where) + ": " + what);
        } catch (...) {
            log.error(where);  // No memory for both.
        }
    }

    template <class Work>
    static std::int32_t guarded(const log_service& log, const char* where, Work&& work) noexcept {
        try {
            if constexpr (std::is_same_v<decltype(work()), status>) {
                return static_cast<std::int32_t>(work());
            } else {
                static_assert(std::is_void_v<decltype(work())>, "answer nothing or a status");
                work();
                return PERDURE_OK;
            }
        } catch (const refused& why) {
            tell(log, where, why.what());
            return why.why() == status::ok ? PERDURE_PLUGIN_FAILED
                                           : static_cast<std::int32_t>(why.why());
        } catch (const std::exception& why) {
            tell(log, where, why.what());
        } catch (...) {
            tell(log, where, "an exception of unknown type");
        }
        return PERDURE_PLUGIN_FAILED;
    }

    template <class Call>
    static std::int32_t on_instance(void* self, const char* where, Call&& call) noexcept {
        auto& here = *static_cast<instance*>(self);
        return guarded(here.seen.log(), where, [&] { return call(*here.self); });
    }

    static std::int32_t create(const perdure_host_api* api, void** self) noexcept {
        *self = nullptr;
        const log_service log(*api, "perdure.log/1");
        return guarded(log, "create", [&] { *self = std::make_unique<instance>(*api).release(); });
    }
    static void destroy(void* self) noexcept { delete static_cast<instance*>(self); }

    static std::int32_t configure(void* self, const char* json, std::uint64_t bytes,
                                  std::uint32_t dry_run) noexcept {
        static_assert(calls_configure<Self>::value, "configure(std::string_view json, bool dry)");
        return on_instance(self, "configure", [&](Self& to) {
            return to.configure(std::string_view(json, bytes), dry_run != 0);
        });
    }
    static std::int32_t migrate(void* self, std::uint32_t from, std::uint32_t to) noexcept {
        static_assert(calls_migrate<Self>::value, "migrate(std::uint32_t from, std::uint32_t to)");
        return on_instance(self, "migrate", [&](Self& it) { return it.migrate(from, to); });
    }
    static std::int32_t activate(void* self, std::uint64_t generation) noexcept {
        static_assert(calls_activate<Self>::value, "activate(std::uint64_t generation)");
        return on_instance(self, "activate", [&](Self& it) { return it.activate(generation); });
    }
    static std::int32_t on_tick(void* self, const perdure_tick* tick) noexcept {
        static_assert(calls_on_tick<Self>::value, "on_tick(const perdure_tick& tick)");
        const perdure_tick known = known_part(tick);
        return on_instance(self, "on_tick", [&](Self& it) { return it.on_tick(known); });
    }
    static std::int32_t on_events(void* self, const perdure_event* events, std::uint64_t count,
                                  std::uint64_t first_lsn, std::uint64_t last_lsn) noexcept {
        static_assert(calls_on_events<Self>::value, "on_events(const perdure::event_list& events)");
        const event_list list(events, count, first_lsn, last_lsn);
        return on_instance(self, "on_events", [&](Self& it) { return it.on_events(list); });
    }
    static std::int32_t quiesce(void* self, std::uint64_t deadline_ns) noexcept {
        static_assert(calls_quiesce<Self>::value, "quiesce(std::uint64_t deadline_ns)");
        return on_instance(self, "quiesce", [&](Self& it) { return it.quiesce(deadline_ns); });
    }
    static std::int32_t self_test(void* self) noexcept {
        static_assert(calls_self_test<Self>::value, "self_test()");
        return on_instance(self, "self_test", [](Self& it) { return it.self_test(); });
    }

    static constexpr perdure_plugin_api made() noexcept {
        static_assert(std::is_base_of_v<plugin<Self>, Self>, "derive from perdure::plugin<Self>");
        perdure_plugin_api api{};
        api.size = sizeof api;
        api.abi_major = PERDURE_PLUGIN_ABI_MAJOR;
        api.abi_minor = PERDURE_PLUGIN_ABI_MINOR;
        api.create = &create;
        if constexpr (has_configure<Self>::value) api.configure = &configure;
        if constexpr (has_migrate<Self>::value) api.migrate = &migrate;
        if constexpr (has_activate<Self>::value) api.activate = &activate;
        if constexpr (has_on_tick<Self>::value) api.on_tick = &on_tick;
        if constexpr (has_on_events<Self>::value) api.on_events = &on_events;
        if constexpr (has_quiesce<Self>::value) api.quiesce = &quiesce;
        if constexpr (has_self_test<Self>::value) api.self_test = &self_test;
        api.destroy = &destroy;
        return api;
    }
};

/// Of the one function that a plugin exports.
template <class Self>
const perdure_plugin_api* entry(const perdure_host_api* on) noexcept {
    static constexpr perdure_plugin_api api = edge<Self>::made();
    return on->abi_major == PERDURE_PLUGIN_ABI_MAJOR ? &api : nullptr;
}

}  // namespace sdk
}  // namespace perdure

/// Once in a plugin, outside of any namespace. The class is not final.
#define PERDURE_EXPORT_PLUGIN(Type) \
    const perdure_plugin_api* perdure_plugin_entry_1(const perdure_host_api* host) { \
        return ::perdure::sdk::entry<Type>(host); \
    }
