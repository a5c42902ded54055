// Which instruction sets this build holds, which of them this CPU runs, and which one is in use.
#pragma once

#include <string>
#include <vector>

#include "kernel_table.h"

namespace yarncore::cpu {

// Those of this build that this CPU runs, the best first.
std::vector<const KernelTable*> usable_kernels();

// Those in use: the best, unless YARNCORE_ISA or use_instruction_set names others.
const KernelTable& current_kernels();

std::vector<std::string> instruction_sets();
std::string instruction_set();
// Throws std::invalid_argument for one that this CPU or this build does not have.
void use_instruction_set(const std::string& name);

}  // namespace yarncore::cpu
