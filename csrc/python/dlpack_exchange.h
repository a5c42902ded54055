// The binary interface of DLPack 1.3 as far as it is used: a type may carry a table of C functions in the capsule
// `__dlpack_c_exchange_api__`, of which one shows a tensor's memory without making an object.
// https://dmlc.github.io/dlpack/latest/c_api.html
#pragma once

#include <cstdint>

namespace yarncore::python::dlpack {

constexpr uint32_t major_version = 1;
constexpr int32_t cpu_device = 1;
enum TypeCode : uint8_t {
  signed_integer = 0,
  unsigned_integer = 1,
  floating = 2,
  brain_floating = 4,
  complex_floating = 5
};

struct Version {
  uint32_t major, minor;
};
struct Device {
  int32_t type, id;
};
struct DataType {
  uint8_t code, bits;
  uint16_t lanes;
};
struct Tensor {
  void* data;
  Device device;
  int32_t ndim;
  DataType dtype;
  int64_t *shape, *strides;  // strides in elements
  uint64_t byte_offset;
};
struct ExchangeHeader {
  Version version;
  ExchangeHeader* previous;
};
struct ExchangeTable {
  ExchangeHeader header;
  int (*allocate)(Tensor*, void**, void*, void (*)(void*, const char*, const char*));
  int (*managed_from_object)(void*, void**);
  int (*object_from_managed)(void*, void**);
  int (*tensor_from_object)(void* object, Tensor* out);  // borrowed: valid while the object lives and is unchanged
  int (*current_work_stream)(int32_t, int32_t, void**);
};

}  // namespace yarncore::python::dlpack
