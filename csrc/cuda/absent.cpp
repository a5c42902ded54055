#include <stdexcept>

#include "launch.h"

namespace yarncore::cuda {

std::string why_unavailable() {
  return "yarncore was built without CUDA kernels (pip install . -C cmake.define.YARNCORE_CUDA=ON builds them)";
}

void launch(const Launch&, int, void*) { throw std::runtime_error(why_unavailable()); }

}  // namespace yarncore::cuda
