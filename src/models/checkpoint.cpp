#include "models/checkpoint.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

#include "base/printable.hpp"
#include "formats/dense.hpp"
#include "io/codecs/bnb.hpp"
#include "io/folder.hpp"
#include "io/shard_index.hpp"

namespace nibble {
namespace {

// Elements of the tensor as the file orders them.
void read_in_file_order(const CheckpointTensor& tensor, std::int64_t first, std::int64_t count, float* out) {
  if (tensor.dtype) {
    const std::byte* from = tensor.bytes.data() + std::size_t(first) * size_of(*tensor.dtype);
    switch (*tensor.dtype) {
      case DType::f64:
        for (std::int64_t i = 0; i < count; ++i) {
          double value;
          std::memcpy(&value, from + std::size_t(i) * sizeof value, sizeof value);
          out[i] = float(value);
        }
        return;
      case DType::f32:
        return widen<Fp32>(from, count, out);
      case DType::f16:
        return widen<Fp16>(from, count, out);
      case DType::bf16:
        return widen<Bf16>(from, count, out);
      default:
        NIBBLE_ASSERT(false, "the loader reads integers only through a codec");
    }
  }
  const auto block = std::int64_t(tensor.block_type->block_elements);
  while (count > 0) {
    const std::int64_t index = first / block, inside = first % block;
    const std::byte* from = tensor.bytes.data() + std::size_t(index) * tensor.block_type->block_bytes;
    std::int64_t done;
    if (inside == 0 && count >= block) {
      done = count / block * block;
      tensor.block_type->decode(from, done, out);
    } else {
      std::vector<float> whole(std::size_t(block), 0.0f);
      tensor.block_type->decode(from, block, whole.data());
      done = std::min(block - inside, count);
      std::copy_n(whole.begin() + inside, done, out);
    }
    first += done;
    out += done;
    count -= done;
  }
}

// Whether there is such a file; not being allowed to look is an error, not a no.
Result<bool> present(const std::filesystem::path& path) {
  std::error_code code;
  const bool found = std::filesystem::exists(path, code);
  if (code) return error(Errc::io_failure, "{}: {}; check the permissions", path.string(), code.message());
  return found;
}

Result<Json> read_optional_json(const std::filesystem::path& path) {
  NIBBLE_TRY(const bool found, present(path));
  if (!found) return Json::object();
  return read_json(path);
}

// The template of chat_template.jinja, else of tokenizer_config.json (a string, or a list of named ones: "default").
Result<std::string> read_chat_template(const std::filesystem::path& folder) {
  NIBBLE_TRY(const bool own_file, present(folder / "chat_template.jinja"));
  if (own_file) return read_text(folder / "chat_template.jinja", std::size_t(16) << 20);
  NIBBLE_TRY(const Json config, read_optional_json(folder / "tokenizer_config.json"));
  if (!config.is_object())
    return error(Errc::corrupt_file, "{}: expected a JSON object", (folder / "tokenizer_config.json").string());
  const auto found = config.find("chat_template");
  if (found == config.end()) return std::string();
  if (found->is_string()) return found->get<std::string>();
  if (found->is_array())
    for (const Json& entry : *found)
      if (entry.is_object() && is_text(entry.value("name", Json()), "default") && entry.contains("template") &&
          entry["template"].is_string())
        return entry["template"].get<std::string>();
  return std::string();
}

Error pickled(const std::filesystem::path& file) {
  return error(
      Errc::unsupported,
      "{}: pickled Python, which can run code when it is read, so Nibble does not; save the model as safetensors "
      "(transformers: model.save_pretrained(FOLDER)) and name that folder",
      file.string());
}

// Names of the files that hold weights; `index` gets what an index says of each tensor.
Result<std::vector<std::string>> find_shards(const std::filesystem::path& folder,
                                             std::map<std::string, std::string>& index) {
  NIBBLE_TRY(const bool sharded, present(folder / "model.safetensors.index.json"));
  NIBBLE_TRY(const bool single, present(folder / "model.safetensors"));
  if (sharded) {
    const auto file = folder / "model.safetensors.index.json";
    NIBBLE_TRY(const Json json, read_json(file, large_json_limit));
    NIBBLE_TRY(index, parse_shard_index(json, file.string()));
    std::set<std::string> unique;
    for (const auto& [tensor, shard] : index) unique.insert(shard);
    return std::vector<std::string>(unique.begin(), unique.end());
  }
  if (single) return std::vector<std::string>{"model.safetensors"};
  for (const char* name : {"pytorch_model.bin", "pytorch_model.bin.index.json", "consolidated.00.pth"}) {
    NIBBLE_TRY(const bool found, present(folder / name));
    if (found) return pickled(folder / name);
  }
  return error(Errc::not_found,
               "{}: no model.safetensors and no model.safetensors.index.json; the folder has a config but no weights",
               folder.string());
}

bool same_elements(const CheckpointTensor& a, const CheckpointTensor& b) {
  if (a.shape != b.shape) return false;
  if (a.type == b.type) return std::memcmp(a.bytes.data(), b.bytes.data(), a.bytes.size()) == 0;
  if (!a.readable() || !b.readable()) return false;
  constexpr std::int64_t piece = 65536;
  std::vector<float> of_a(piece), of_b(piece);
  for (std::int64_t first = 0, all = std::int64_t(a.elements()); first < all; first += piece) {
    const std::int64_t count = std::min(piece, all - first);
    a.read(first, count, of_a.data());
    b.read(first, count, of_b.data());
    if (!std::equal(of_a.begin(), of_a.begin() + count, of_b.begin())) return false;
  }
  return true;
}

}  // namespace

std::int64_t first_nonfinite(const CheckpointTensor& tensor) {
  constexpr std::int64_t piece = 65536;
  std::vector<float> values(piece);
  for (std::int64_t first = 0, all = std::int64_t(tensor.elements()); first < all; first += piece) {
    const std::int64_t count = std::min(piece, all - first);
    tensor.read(first, count, values.data());
    const bool finite = at_widest(
        [](const float* x, std::int64_t count) NIBBLE_INLINE_LOOP {
          bool finite = true;
          for (std::int64_t i = 0; i < count; ++i) finite &= std::fabs(x[i]) < INFINITY;
          return finite;
        },
        values.data(), count);
    if (finite) continue;
    const auto bad = std::find_if(values.begin(), values.end(), [](float x) { return !std::isfinite(x); });
    return first + (bad - values.begin());
  }
  return -1;
}

std::uint64_t CheckpointTensor::elements() const {
  std::uint64_t count = 1;
  for (const std::int64_t extent : shape) count *= std::uint64_t(extent);
  return count;
}

bool CheckpointTensor::readable() const {
  if (!dtype) return block_type && block_type->decode;
  return *dtype == DType::f64 || *dtype == DType::f32 || *dtype == DType::f16 || *dtype == DType::bf16;
}

void CheckpointTensor::read(std::int64_t first, std::int64_t count, float* out) const {
  const auto stored = [&](std::int64_t at, std::int64_t run, float* to) { read_in_file_order(*this, at, run, to); };
  if (rope_heads == 0) return stored(first, count, out);
  const GgufRows order = row_order();
  const auto place = [&](std::int64_t row) { return order.in_file(row); };
  read_rows(stored, place, shape.size() > 1 ? cols() : 1, first, count, out);
}

namespace {

// A folder without a model may be where a GGUF file lies.
std::string what_to_name_in(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  if (const auto names = names_in_folder(folder))
    for (const std::string& name : *names)
      if (name.ends_with(".gguf")) files.push_back(folder / name);
  if (files.size() == 1) return "the file that lies there: " + printable(files.front().string());
  return files.empty() ? "a folder in Hugging Face layout or a .gguf file"
                       : fmt::format("one of the {} .gguf files that lie there", files.size());
}

}  // namespace

Result<std::shared_ptr<Checkpoint>> Checkpoint::open(const std::filesystem::path& path) {
  auto checkpoint = std::make_shared<Checkpoint>();
  checkpoint->path_ = path;
  NIBBLE_TRY(const bool found, present(path));
  std::error_code ignored;
  if (found && std::filesystem::is_directory(path, ignored)) {
    NIBBLE_CHECK(checkpoint->open_folder());
  } else if (found && std::filesystem::is_regular_file(path, ignored)) {
    if (path.extension() == ".safetensors")
      return error(Errc::bad_request, "{}: name the folder that holds config.json and the weights, not one weight file",
                   path.string());
    if (path.extension() == ".bin" || path.extension() == ".pt" || path.extension() == ".pth") return pickled(path);
    if (path.extension() == ".json")
      return error(Errc::unsupported,
                   "{}: not a model Nibble reads; name a folder with config.json and *.safetensors, or a .gguf file",
                   path.string());
    if (std::filesystem::file_size(path, ignored) == 0 && !ignored)
      return error(Errc::corrupt_file, "{}: is empty; get it again", path.string());
    NIBBLE_CHECK(checkpoint->open_gguf());
  } else {
    return error(Errc::not_found,
                 "{}: no such folder or file; name a folder with config.json and *.safetensors, or a .gguf file",
                 path.string());
  }
  return checkpoint;
}

Result<std::shared_ptr<Checkpoint>> Checkpoint::open_config(const std::filesystem::path& path) {
  auto checkpoint = std::make_shared<Checkpoint>();
  checkpoint->path_ = path;
  std::error_code ignored;
  const auto file = std::filesystem::is_directory(path, ignored) ? path / "config.json" : path;
  NIBBLE_TRY(checkpoint->config_, read_json(file));
  if (!checkpoint->config_.is_object()) return error(Errc::corrupt_file, "{}: expected a JSON object", file.string());
  return checkpoint;
}

Result<void> Checkpoint::open_folder() {
  NIBBLE_TRY(const bool has_config, present(path_ / "config.json"));
  if (!has_config)
    return error(Errc::not_found, "{}: no config.json in this folder, so it is not a model; name {}", path_.string(),
                 what_to_name_in(path_));
  NIBBLE_TRY(config_, read_json(path_ / "config.json"));
  if (!config_.is_object())
    return error(Errc::corrupt_file, "{}: expected a JSON object", (path_ / "config.json").string());
  NIBBLE_TRY(generation_config_, read_optional_json(path_ / "generation_config.json"));
  NIBBLE_TRY(chat_template_, read_chat_template(path_));

  std::map<std::string, std::string> index;
  NIBBLE_TRY(const std::vector<std::string> names, find_shards(path_, index));
  shards_.reserve(names.size());
  for (const std::string& name : names) {
    NIBBLE_TRY(const bool found, present(path_ / name));
    if (!found)
      return error(Errc::not_found,
                   "{}: shard {} is named by model.safetensors.index.json but missing; download or copy the file again",
                   path_.string(), name);
    NIBBLE_TRY(Safetensors shard, Safetensors::open(path_ / name));
    file_bytes_ += shard.file_bytes();
    shards_.push_back(std::move(shard));
    for (const StoredTensor& stored : shards_.back().tensors()) {
      CheckpointTensor tensor;
      tensor.name = stored.name;
      tensor.type = name_of(stored.dtype);
      tensor.shape = stored.shape;
      tensor.bytes = stored.bytes;
      tensor.dtype = stored.dtype;
      NIBBLE_CHECK(add(std::move(tensor)));
      stored_[stored.name] = &stored;
    }
  }
  for (const auto& [tensor, shard] : index)
    if (!index_.count(tensor))
      return error(Errc::corrupt_file,
                   "{}: tensor \"{}\" should be in {} but is not; index and shards do not belong together",
                   path_.string(), tensor, shard);
  untie_what_differs();
  return {};
}

// A config may say that the head is the embedding although the file holds another; transformers believes the file.
void Checkpoint::untie_what_differs() {
  const auto tied = config_.find("tie_word_embeddings");
  if (tied == config_.end() || *tied != true) return;
  const CheckpointTensor *embedding = find("model.embed_tokens.weight"), *head = find("lm_head.weight");
  if (!embedding || !head || same_elements(*embedding, *head)) return;
  *tied = false;
  notes_.push_back(
      "config.json says that the head is the embedding (\"tie_word_embeddings\"), but \"lm_head.weight\" is stored and "
      "differs; the stored head is used, as transformers does");
}

Result<void> Checkpoint::add(CheckpointTensor tensor) {
  if (!index_.emplace(tensor.name, tensors_.size()).second)
    return error(Errc::corrupt_file, "{}: tensor \"{}\" is stored twice", path_.string(), tensor.name);
  if (const std::string owner = bnb_companion_of(tensor.name); !owner.empty())
    companions_[owner].push_back(tensors_.size());
  tensors_.push_back(std::move(tensor));
  return {};
}

std::vector<const CheckpointTensor*> Checkpoint::parts_of(std::string_view name) const {
  std::vector<const CheckpointTensor*> parts;
  if (const CheckpointTensor* tensor = find(name)) parts.push_back(tensor);
  if (const auto found = companions_.find(std::string(name)); found != companions_.end())
    for (const std::size_t index : found->second) parts.push_back(&tensors_[index]);
  std::sort(parts.begin(), parts.end(), [](const auto* a, const auto* b) { return a->name < b->name; });
  return parts;
}

std::vector<std::string> Checkpoint::metadata_texts(std::string_view key) const {
  std::vector<std::string> out;
  for (const Safetensors& shard : shards_)
    if (const auto found = shard.metadata().find(std::string(key)); found != shard.metadata().end())
      out.push_back(found->second);
  if (gguf_)
    if (const auto text = gguf_->text(key)) out.push_back(*text);
  return out;
}

const CheckpointTensor* Checkpoint::find(std::string_view name) const {
  const auto found = index_.find(std::string(name));
  return found == index_.end() ? nullptr : &tensors_[found->second];
}

std::vector<std::shared_ptr<MappedFile>> Checkpoint::files() const {
  std::vector<std::shared_ptr<MappedFile>> out;
  for (const Safetensors& shard : shards_) out.push_back(shard.file());
  if (gguf_) out.insert(out.end(), gguf_->files().begin(), gguf_->files().end());
  return out;
}

const StoredTensor* Checkpoint::find_stored(std::string_view name) const {
  const auto found = stored_.find(std::string(name));
  return found == stored_.end() ? nullptr : found->second;
}

}  // namespace nibble
