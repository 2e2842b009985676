// SPDX-License-Identifier: Apache-2.0
#include <perdure/io/spread.hpp>

#include <tbb/parallel_for.h>

namespace perdure::io {

void spread(std::size_t count, const std::function<void(std::size_t)>& work) {
    tbb::parallel_for(std::size_t{0}, count, work);
}

}  // namespace perdure::io
