// Launching kernels: launch.cu where the extension is built with CUDA, absent.cpp where it is not.
#pragma once

#include <string>

#include "plan.h"

namespace yarncore::cuda {

// Why no kernel of the extension can be launched here; empty where one can.
std::string why_unavailable();

// On a stream of a device (a cudaStream_t), without waiting. Throws std::runtime_error with CUDA's own words.
void launch(const Launch& launch, int device, void* stream);

}  // namespace yarncore::cuda
