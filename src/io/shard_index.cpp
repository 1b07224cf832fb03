#include "io/shard_index.hpp"

#include <algorithm>

namespace nibble {

bool is_plain_file_name(std::string_view name) {
  return !name.empty() && name.size() <= 200 && name[0] != '.' &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) { return c >= 32 && c != '/' && c != '\\'; });
}

Result<std::map<std::string, std::string>> parse_shard_index(const Json& index, std::string_view place) {
  const auto map = index.find("weight_map");
  if (map == index.end() || !map->is_object())
    return error(Errc::corrupt_file,
                 "{}: no \"weight_map\" object; the index of the shards is damaged, take the file again", place);
  std::map<std::string, std::string> out;
  for (const auto& [tensor, shard] : map->items()) {
    if (!shard.is_string() || !is_plain_file_name(shard.get_ref<const std::string&>()))
      return error(Errc::corrupt_file, "{}: tensor \"{}\" is said to be in {}, which is no file of this folder", place,
                   tensor, shown(shard));
    out.emplace(tensor, shard.get<std::string>());
  }
  return out;
}

}  // namespace nibble
