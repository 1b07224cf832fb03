// GGUF files as models, whole and in up to three parts: each "GGUF" in the input begins a part.
#include <algorithm>

#include "../made/made_files.hpp"
#include "fuzz.hpp"
#include "memory_folder.hpp"
#include "models/checkpoint.hpp"
#include "models/config.hpp"
#include "models/outline.hpp"

namespace {

constexpr std::size_t parts = 3, most_elements = 4096;

std::string name_of_part(std::size_t part) { return "m-0000" + std::to_string(part + 1) + "-of-00003.gguf"; }

}  // namespace

bool fuzz_one(std::string_view bytes) {
  static MemoryFolder folder;
  std::size_t begin = 0;
  for (std::size_t part = 0; part < parts; ++part) {
    if (begin == bytes.npos) {
      folder.drop(name_of_part(part));
      continue;
    }
    const std::size_t end = part + 1 < parts ? bytes.find("GGUF", begin + 4) : bytes.npos;
    folder.put(name_of_part(part), bytes.substr(begin, end == bytes.npos ? end : end - begin));
    begin = end;
  }
  const auto checkpoint = nibble::Checkpoint::open(folder.path() / name_of_part(0));
  if (!checkpoint) return false;
  for (const nibble::CheckpointTensor& tensor : (*checkpoint)->tensors()) {
    if (!tensor.readable()) continue;
    const std::size_t count = std::min<std::uint64_t>(tensor.elements(), most_elements);
    std::vector<float> values(count);
    const std::int64_t last = std::int64_t(tensor.elements() - count);
    for (const std::int64_t first : {std::int64_t(0), last})
      if (count > 0) tensor.read(first, std::int64_t(count), values.data());
    fuzz_expect((*checkpoint)->find(tensor.name) != nullptr, "every tensor is found by its name");
  }
  if (!nibble::read_model_config((*checkpoint)->config(), "fuzz"))
    (void)nibble::read_outline((*checkpoint)->config(), (*checkpoint)->tensors(), "fuzz");
  return true;
}

std::vector<std::string> fuzz_seeds() {
  made::Gguf whole = made::llama_gguf();
  for (auto& tensor : whole.tensors) {
    tensor.shape = {16, 4};
    tensor.type = 0;
    tensor.data = std::string(256, '\x11');
  }
  made::Gguf blocks = whole;
  for (std::size_t i = 0; i < blocks.tensors.size(); ++i) {
    blocks.tensors[i].shape = {32, 4};
    blocks.tensors[i].type = i % 2 ? 8 : 2;
    blocks.tensors[i].data = std::string(i % 2 ? 136 : 72, '\x11');
  }
  blocks.tensors.push_back({"rope_freqs.weight", {8}, 0, std::string(32, '\x3f')});

  const auto split = [](made::Gguf file, std::uint32_t number, std::size_t first, std::size_t last) {
    file.u32("split.no", number).u32("split.count", 3).u32("split.tensors.count", 11);
    file.tensors = {file.tensors.begin() + std::ptrdiff_t(first), file.tensors.begin() + std::ptrdiff_t(last)};
    return file;
  };
  made::Gguf further;
  further.tensors = whole.tensors;
  return {whole.bytes(), blocks.bytes(),
          split(whole, 0, 0, 4).bytes() + split(further, 1, 4, 8).bytes() + split(further, 2, 8, 11).bytes()};
}

std::vector<std::string> fuzz_words() {
  return {"GGUF",
          "split.no",
          "split.count",
          "split.tensors.count",
          "general.alignment",
          "llama.attention.key_length",
          "llama.rope.scaling.type",
          "yarn",
          "tokenizer.chat_template",
          "rope_freqs.weight",
          "output.weight",
          "token_embd.weight",
          "blk.0.attn_q.weight",
          "blk.0.attn_k.weight",
          "gemma2",
          "llama.expert_count",
          std::string("\x04\0\0\0", 4),
          std::string("\x08\0\0\0", 4),
          std::string("\x0a\0\0\0", 4)};
}
