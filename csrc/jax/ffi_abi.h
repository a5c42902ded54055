// The part of XLA's foreign function interface that a handler on the CPU needs, in declarations of our own: its headers
// come with jaxlib, which nobody should have to install to build this. tests/backends/native/test_xla.py compares them
// with the installed ones. Interface version 0.3; XLA asks for it and refuses a handler of another major version.
#pragma once

#include <cstddef>
#include <cstdint>

namespace yarncore::jax {

struct Extension {
  size_t struct_size;
  int type;  // 1: XLA asks for the handler's metadata
  Extension* next;
};
constexpr int metadata_extension = 1;

struct ApiVersion {
  size_t struct_size;
  Extension* extension_start;
  int major_version, minor_version;
};
constexpr int major_version = 0, minor_version = 3;

struct Metadata {
  size_t struct_size;
  ApiVersion api_version;
  uint32_t traits;
  int64_t state_type_id;
};
struct MetadataExtension {
  Extension base;
  Metadata* metadata;
};

struct Error;  // XLA's
struct ErrorArguments {
  size_t struct_size;
  Extension* extension_start;
  const char* message;
  int code;
};
constexpr int invalid_argument = 3;

struct Api {  // its first members
  size_t struct_size;
  Extension* extension_start;
  ApiVersion api_version;
  const void* internal_api;
  Error* (*create_error)(ErrorArguments*);
};

// Of attributes; those of arrays stand in the tables of types.
enum DataType : int { s64 = 5, u8 = 6, u32 = 8, f64 = 12 };

struct Buffer {
  size_t struct_size;
  Extension* extension_start;
  DataType type;
  void* data;
  int64_t rank;
  int64_t* dims;
};

// Arguments and results.
struct Buffers {
  size_t struct_size;
  Extension* extension_start;
  int64_t size;
  int* kinds;  // 1: a buffer
  Buffer** buffers;
};

struct Name {
  const char* text;
  size_t length;
};
struct ArrayAttribute {
  DataType type;
  size_t size;
  void* data;
};
struct Attributes {
  size_t struct_size;
  Extension* extension_start;
  int64_t size;
  int* kinds;  // 1: an array
  Name** names;
  void** attributes;
};

struct CallFrame {
  size_t struct_size;
  Extension* extension_start;
  const Api* api;
  void* context;
  int stage;  // 3: execute
  Buffers arguments, results;
  Attributes attributes;
};

}  // namespace yarncore::jax
