// A GGUF file on disk, alone or the first of several.
#include <set>

#include "io/gguf.hpp"

namespace nibble {

constexpr std::int64_t part_limit = 99999;  // the names have five digits

Result<Gguf> Gguf::open(const std::filesystem::path& path) {
  NIBBLE_TRY(auto mapped, MappedFile::open(path));
  NIBBLE_TRY(Gguf file, parse(mapped->bytes(), path.string()));
  file.files_.push_back(std::move(mapped));
  if (!file.find("split.count")) return file;
  const auto count = file.integer("split.count");
  if (!count) return count.error().at(path.string());
  if (*count > 1) NIBBLE_CHECK(file.open_others(path, *count));
  return file;
}

Result<void> Gguf::open_others(const std::filesystem::path& path, std::int64_t count) {
  const std::string name = path.filename().string();
  const auto ending = [&](std::int64_t part) { return fmt::format("-{:05}-of-{:05}.gguf", part + 1, count); };
  const auto number_of = [](const Gguf& file, std::string_view key) {
    return file.integer(key).has_value() ? *file.integer(key) : -1;
  };
  const std::int64_t own = number_of(*this, "split.no");
  if (count > part_limit || own < 0 || own >= count)
    return error(Errc::corrupt_file,
                 "{}: \"split.no\" is {} and \"split.count\" {}, expected a part of at most {}; take the file again",
                 path.string(), own, count, part_limit);
  if (!name.ends_with(ending(own)))
    return error(
        Errc::corrupt_file,
        "{}: is one of {} files by its metadata, so its name should end in \"{}\"; name it as it was published",
        path.string(), count, ending(own));
  const std::string stem = name.substr(0, name.size() - ending(0).size());
  if (own != 0)
    return error(Errc::bad_request, "{}: is part {} of {}; name the first, {}{}", path.string(), own + 1, count, stem,
                 ending(0));
  std::set<std::string> names;
  for (const GgufTensor& tensor : tensors_) names.insert(tensor.name);
  for (std::int64_t part = 1; part < count; ++part) {
    const auto other = path.parent_path() / (stem + ending(part));
    NIBBLE_TRY(auto mapped, MappedFile::open(other));
    NIBBLE_TRY(Gguf file, parse(mapped->bytes(), other.string()));
    if (number_of(file, "split.no") != part || number_of(file, "split.count") != count)
      return error(Errc::corrupt_file, "{}: does not say that it is part {} of {}; the files do not belong together",
                   other.string(), part + 1, count);
    for (GgufTensor& tensor : file.tensors_) {
      if (!names.insert(tensor.name).second)
        return error(Errc::corrupt_file, "{}: tensor \"{}\" is in another part already", other.string(), tensor.name);
      tensors_.push_back(std::move(tensor));
    }
    file_bytes_ += file.file_bytes_;
    files_.push_back(std::move(mapped));
  }
  const std::int64_t all = number_of(*this, "split.tensors.count");
  if (all >= 0 && all != std::int64_t(tensors_.size()))
    return error(Errc::corrupt_file, "{}: all parts together should have {} tensors, they have {}", path.string(), all,
                 tensors_.size());
  return {};
}

}  // namespace nibble
