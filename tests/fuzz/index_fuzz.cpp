// Folders of shards: the input is model.safetensors.index.json beside shards that belong together, and beside some that
// do not (missing, cut, twice the same tensors, a link to itself, a folder, the index once more).
#include <algorithm>

#include "../made/made_files.hpp"
#include "fuzz.hpp"
#include "memory_folder.hpp"
#include "models/checkpoint.hpp"

namespace {

namespace fs = std::filesystem;
const std::string index_file = "model.safetensors.index.json", second = "b.safetensors";

class Folders {
 public:
  static constexpr std::size_t kinds = 7;

  Folders() {
    const std::string a = made::bf16_file({{"x.weight", {2, 3}}, {"y", {4}}}), b = made::bf16_file({{"z", {5}}});
    for (MemoryFolder& folder : folders_) {
      folder.put("config.json", "{\"model_type\":\"llama\"}");
      folder.put("a.safetensors", a);
    }
    folders_[0].put(second, b);
    folders_[2].put(second, b.substr(0, b.size() - 3));
    folders_[3].put(second, a);
    fs::create_symlink(second, folders_[4].path() / second);
    fs::create_directory(folders_[5].path() / second);
    fs::create_symlink(index_file, folders_[6].path() / second);
  }
  bool open(std::size_t kind, std::string_view index) {
    folders_[kind].put(index_file, index);
    const auto checkpoint = nibble::Checkpoint::open(folders_[kind].path());
    if (!checkpoint) return false;
    for (const nibble::CheckpointTensor& tensor : (*checkpoint)->tensors()) {
      std::vector<float> values(tensor.elements());
      tensor.read(0, std::int64_t(values.size()), values.data());
      fuzz_expect((*checkpoint)->find(tensor.name) != nullptr, "every tensor is found by its name");
    }
    return true;
  }

 private:
  MemoryFolder folders_[kinds];
};

}  // namespace

bool fuzz_one(std::string_view bytes) {
  static Folders folders;
  (void)folders.open(1 + bytes.size() % (Folders::kinds - 1), bytes);
  return folders.open(0, bytes);
}

std::vector<std::string> fuzz_seeds() {
  return {R"({"metadata":{"total_size":30},"weight_map":{"x.weight":"a.safetensors","y":"a.safetensors",)"
          R"("z":"b.safetensors"}})",
          R"({"weight_map":{"x.weight":"a.safetensors"}})", R"({"weight_map":{"z":"b.safetensors"}})",
          R"({"weight_map":{}})"};
}

std::vector<std::string> fuzz_words() {
  return {"\"weight_map\":{",
          "\"z\":",
          "\"b.safetensors\"",
          "../",
          "/",
          "\\u0000",
          "..",
          "\\ud800",
          "null",
          "{}",
          "\"config.json\"",
          "\"" + index_file + "\"",
          "\"x.weight\":",
          ","};
}
