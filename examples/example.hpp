// What every example does with an error: say it and end with the status that the error asks for.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <nibble/result.hpp>
#include <string>

namespace example {

template <class T>
T value_or_exit(nibble::Result<T> result) {
  if (result) return std::move(*result);
  std::fprintf(stderr, "%s\n", result.error().message.c_str());
  std::exit(result.error().exit_code());
}

// The model's folder, or the way to call the program.
inline const char* model_argument(int argc, char** argv) {
  if (argc == 2) return argv[1];
  std::fprintf(stderr, "usage: %s MODEL   (a folder in Hugging Face layout or a .gguf file)\n", argv[0]);
  std::exit(2);
}

// Goes with all that is in it, also when the example ends with an error.
struct TemporaryFolder {
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "nibble-example-XXXXXX").string();
    if (!mkdtemp(name.data())) {
      std::perror("cannot create a temporary folder");
      std::exit(1);
    }
    path = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  std::filesystem::path path;
};

inline double mb(std::uint64_t bytes) { return double(bytes) / 1e6; }

}  // namespace example
