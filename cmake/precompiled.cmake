# Precompiled headers: the libraries' headers that most files include, and what is made of their templates. They save
# half of a build's time. No file may rely on them: `cmake --preset dev -DHOWDAH_PRECOMPILED=OFF` builds without.
option(HOWDAH_PRECOMPILED "Precompile the headers that most files include" ON)

# Clang rejects a precompiled header whose macros differ: those of the libraries hold everywhere.
add_compile_definitions(FMT_SHARED SPDLOG_COMPILED_LIB SPDLOG_SHARED_LIB)

set(precompiled ${PROJECT_SOURCE_DIR}/cmake/precompiled)
if(HOWDAH_PRECOMPILED)
  # ccache can keep what includes it.
  add_compile_options(-Xclang -fno-pch-timestamp)
  add_library(hd_templates STATIC ${precompiled}/templates.cpp)
  file(WRITE ${PROJECT_BINARY_DIR}/empty.cpp.new "")
  file(COPY_FILE ${PROJECT_BINARY_DIR}/empty.cpp.new ${PROJECT_BINARY_DIR}/empty.cpp ONLY_IF_DIFFERENT)
  foreach(kind pure code)
    foreach(test "" _test)
      add_library(hd_precompiled_${kind}${test} OBJECT ${PROJECT_BINARY_DIR}/empty.cpp)
      target_precompile_headers(hd_precompiled_${kind}${test} PRIVATE ${precompiled}/headers.h)
      if(kind STREQUAL "pure")
        target_compile_definitions(hd_precompiled_${kind}${test} PRIVATE HOWDAH_PURE)
      endif()
    endforeach()
    target_link_libraries(hd_precompiled_${kind}_test PRIVATE GTest::gtest GTest::gmock)
    target_precompile_headers(hd_precompiled_${kind}_test PRIVATE <gtest/gtest.h> <gmock/gmock.h>)
  endforeach()
endif()

# howdah_precompiled(hd_pg pure): its files are compiled with the precompiled header of that kind: pure, code, pure_test
# or code_test.
function(howdah_precompiled target kind)
  if(HOWDAH_PRECOMPILED)
    target_precompile_headers(${target} REUSE_FROM hd_precompiled_${kind})
    target_link_libraries(${target} PRIVATE hd_templates)
    if(kind MATCHES "^pure")
      target_compile_definitions(${target} PRIVATE HOWDAH_PURE)
    endif()
  endif()
endfunction()

# Options for what runs too rarely to be worth an optimizer's time: tests, and the command line.
set(howdah_build_fast "$<$<CONFIG:Release>:-O1;-mllvm;-inline-threshold=0>")
