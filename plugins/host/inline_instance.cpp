// SPDX-License-Identifier: Apache-2.0
//
// A plugin inside the keeper: as quick as a call, and as trusted as the keeper itself.
#include <perdure/plugins/host/instance.hpp>
#include <perdure/plugins/host/loaded_plugin.hpp>

namespace perdure::plugins {
namespace {

class inline_instance final : public instance {
  public:
    inline_instance(const instance_terms& terms, std::unique_ptr<services> given)
        : plugin_(terms.file, std::move(given)), about_(plugin_.about()) {}

    call_outcome call(message_kind kind, std::span<const std::byte> payload,
                      std::uint64_t /*hard_ns*/) override {
        auto& waits = shm::system_park();
        const std::uint64_t from = waits.now_ns();
        const auto answered = plugin_.call(kind, payload);
        call_outcome out;
        PERDURE_ASSERT(answered.has_value());  // The payload is our own.
        out.status = *answered;
        out.ns = waits.now_ns() - from;
        return out;
    }
    bool is_alive(call_outcome& /*ended*/) override { return true; }
    [[nodiscard]] const ready_message& about() const noexcept override { return about_; }
    [[nodiscard]] int process() const noexcept override { return 0; }
    [[nodiscard]] denial denied() const noexcept override { return {}; }

  private:
    loaded_plugin plugin_;
    ready_message about_;
};

}  // namespace

std::unique_ptr<instance> start_inline(shm::region& where, const instance_terms& terms,
                                       outlet& out) {
    auto given = services::make(where, terms.plugin, terms.read, out);
    if (!given) {
        throw failure(given.error(), "plugin " + terms.file + ": the world lacks its tables",
                      std::string(remedy(given.error())));
    }
    return std::make_unique<inline_instance>(terms, std::move(*given));
}

}  // namespace perdure::plugins
