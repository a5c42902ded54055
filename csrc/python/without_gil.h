// Long work without the GIL.
#pragma once

#include <Python.h>
#include <unistd.h>

#include <exception>

namespace yarncore::python {

// Takes the GIL back. When the interpreter is shutting down, Python (before 3.14) ends a daemon thread here by
// unwinding its stack: through destructors that would touch Python objects, or through a noexcept one, which
// aborts the process. Such a thread sleeps instead until the process is gone, as Python 3.14 itself has it do.
inline void restore_gil(PyThreadState* state) {
  try {
    PyEval_RestoreThread(state);
  } catch (...) {
    for (;;) pause();
  }
}

template <class Work>
void without_gil(const Work& work) {
  PyThreadState* state = PyEval_SaveThread();
  std::exception_ptr error;
  try {
    work();
  } catch (...) {
    error = std::current_exception();
  }
  restore_gil(state);
  if (error) std::rethrow_exception(error);
}

}  // namespace yarncore::python
