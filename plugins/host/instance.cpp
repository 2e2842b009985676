// SPDX-License-Identifier: Apache-2.0
#include <sys/wait.h>

#include <perdure/plugins/host/instance.hpp>

namespace perdure::plugins {

std::string how_it_ended(const call_outcome& end) {
    const int status = static_cast<int>(end.number);
    switch (end.how) {
        case call_end::died:
            return WIFSIGNALED(status) ? "it died of signal " + std::to_string(WTERMSIG(status))
                                       : "it left with code " + std::to_string(WEXITSTATUS(status));
        case call_end::hung: return "it was killed at its hard deadline";
        case call_end::broke_rules:
            return "it was killed for what it sent: " + std::string(name(end.cause));
        case call_end::answered: break;
    }
    return "it answered";
}

}  // namespace perdure::plugins
