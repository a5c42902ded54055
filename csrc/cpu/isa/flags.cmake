# The instruction sets of each processor, and the flags with which their units are compiled. CMakeLists.txt includes this;
# tests/csrc/selftest.py reads it line by line: one `set` a line, words without quotes.
set(isa_of_x86_64 baseline avx2 avx512)
set(isa_of_aarch64 baseline neon)
set(flags_of_baseline)
set(flags_of_avx2 -mavx2 -mf16c)
set(flags_of_avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mf16c -mprefer-vector-width=512)
set(flags_of_neon)
