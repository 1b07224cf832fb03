// Runs the program as a shell would and gives back what it printed and how it ended.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

namespace nibble::test {

namespace fs = std::filesystem;
using Json = nlohmann::json;

struct Outcome {
  int status = -1;
  std::string out, err;
  Json json() const { return Json::parse(out); }
};

class Program : public testing::Test {
 protected:
  void SetUp() override {
    folder = fs::temp_directory_path() / ("nibble-cli-" + std::to_string(::getpid()) + "-" +
                                          testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(folder);
    fs::create_directories(folder);
    ::setenv("COLUMNS", "1000", 1);  // sentences are found whole; what is folded where is terminal_test.cpp's affair
  }
  void TearDown() override { fs::remove_all(folder); }

  // `arguments` as a shell reads them; `before` stands in front of the program ("echo x |", "timeout -s INT 1").
  Outcome run(const std::string& arguments, const std::string& before = "") {
    const fs::path out = folder / "stdout", err = folder / "stderr";
    const std::string input = before.find('|') == std::string::npos ? " </dev/null" : "";
    const int status = std::system(
        (before + " " + NIBBLE_PROGRAM + " " + arguments + input + " >" + out.string() + " 2>" + err.string()).c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read(out), read(err)};
  }
  static std::string read(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(folder / name, std::ios::binary) << text;
    return (folder / name).string();
  }
  // A copy of the shipped model that a test may damage.
  fs::path copied_model() {
    fs::copy(shipped, folder / "model", fs::copy_options::recursive);
    return folder / "model";
  }

  const std::string source = NIBBLE_SOURCE_DIR, shipped = source + "/models/gutenberg-16m";
  fs::path folder;
};

}  // namespace nibble::test
