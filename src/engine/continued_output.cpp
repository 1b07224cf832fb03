#include "engine/continued_output.hpp"

#include <algorithm>

#include "base/digest.hpp"
#include "io/folder.hpp"

namespace nibble {
namespace {

namespace fs = std::filesystem;

std::string in_fitting_unit(std::uint64_t bytes) {
  if (bytes >= 1'000'000'000) return fmt::format("{:.2f} GB", double(bytes) / 1e9);
  return bytes >= 1'000'000 ? fmt::format("{:.2f} MB", double(bytes) / 1e6) : fmt::format("{} bytes", bytes);
}

constexpr std::uint64_t bytes_between_syncs = std::uint64_t(256) << 20;  // what a power cut may cost

}  // namespace

ContinuedOutput::~ContinuedOutput() {
  if (work_ && std::find(finished_.begin(), finished_.end(), true) == finished_.end()) work_->remove();
}

void ContinuedOutput::say(const std::string& sentence) const { conversion_.say(sentence); }

std::uint64_t ContinuedOutput::with_padding(const Journal::Record& record) const {
  std::uint64_t sum = 0;
  for (const Journal::Part& part : record.parts) sum += part.bytes + container_.padding(part.bytes);
  return sum;
}

Result<void> ContinuedOutput::write(const fs::path& target) {
  target_ = target;
  NIBBLE_CHECK(prepare());
  NIBBLE_TRY(work_, WorkFolder::open(target, plan_.form, replace_));
  const auto all = [&]() -> Result<void> {
    NIBBLE_CHECK(open());
    NIBBLE_CHECK(check_space());
    conversion_.show_progress();
    for (std::size_t file = 0; file < plan_.files.size(); ++file)
      if (!complete_[file]) NIBBLE_CHECK(fill(file));
    return {};
  };
  if (auto done = all(); !done) return leave(done.error());
  for (std::size_t i = 0; i < plan_.weights.size(); ++i)
    conversion_.account(*plan_.weights[i].module, records_[i].error);
  return {};
}

// Lays out the files, and names what two processes must agree about.
Result<void> ContinuedOutput::prepare() {
  Digest layout;
  for (OutputPlan::File& file : plan_.files) {
    std::vector<const Journal::Record*> records;
    for (std::size_t i = file.first; i < file.end; ++i) records.push_back(&plan_.weights[i].record);
    NIBBLE_TRY(const std::string head, container_.head(file, records));
    file.room = head.size();
    layout.add(std::as_bytes(std::span(file.name.c_str(), file.name.size() + 1)));
    layout.add(std::as_bytes(std::span(head)));
  }
  journal_.to = plan_.to;
  journal_.source = conversion_.source_files();
  journal_.recipe = fmt::format("{} {} {}", NIBBLE_VERSION, plan_.recipe, layout.finish());
  records_.resize(plan_.weights.size());
  finished_.assign(plan_.weights.size(), false);
  complete_.assign(plan_.files.size(), false);
  return {};
}

Result<void> ContinuedOutput::open() {
  const fs::path place = work_->path() / "journal";
  std::error_code code;
  const bool found = fs::exists(AtomicFile::unfinished(place), code);
  Journal before;
  if (found) {
    NIBBLE_TRY(const std::string text, read_text(AtomicFile::unfinished(place)));
    before = Journal::parse(text);
  }
  if (before.recipe == journal_.recipe) {
    journal_.records = std::move(before.records);
    NIBBLE_CHECK(take_over(before.source == journal_.source));
  } else {
    if (found && before.recipe.empty())
      say(fmt::format("{}: the journal there is damaged; starts over", work_->path().string()));
    else if (found)
      say(fmt::format("{}: was begun {}; starts over", work_->path().string(),
                      before.to != journal_.to ? "as " + before.to + ", and this is " + journal_.to
                                               : "from another model, with other options or by another version"));
    NIBBLE_CHECK(work_->clear());
  }
  // Written anew, so that it tells of what is there and no more.
  std::string text = journal_.first_line();
  for (std::size_t i = 0; i < finished_.size(); ++i)
    if (finished_[i]) text += Journal::line(plan_.weights[i].module->name, records_[i]);
  NIBBLE_TRY(AtomicFile fresh, AtomicFile::create(AtomicFile::unfinished(place)));
  NIBBLE_CHECK(fresh.write(text));
  NIBBLE_CHECK(fresh.commit());
  NIBBLE_TRY(journal_file_, AtomicFile::resume(place, text.size()));
  return {};
}

Result<void> ContinuedOutput::take_over(bool same_source) {
  NIBBLE_TRY(const std::vector<std::string> names, names_in_folder(work_->output()));
  for (const std::string& name : names) {
    const fs::path path = work_->output() / name;
    if (!is_own_file(path) || std::none_of(plan_.files.begin(), plan_.files.end(), [&](const OutputPlan::File& file) {
          return path == path_of(file) || path == AtomicFile::unfinished(path_of(file));
        }))
      remove_folder(path.c_str());
  }
  for (std::size_t file = 0; file < plan_.files.size(); ++file) {
    NIBBLE_CHECK(take_over(file, same_source));
    for (std::size_t i = plan_.files[file].first; i < plan_.files[file].end; ++i)
      if (finished_[i]) conversion_.count_earlier(*plan_.weights[i].module, with_padding(records_[i]));
  }
  const auto weights = std::count(finished_.begin(), finished_.end(), true);
  if (weights > 0) say(fmt::format("continues: {}", progress()));
  return {};
}

Result<void> ContinuedOutput::take_over(std::size_t index, bool same_source) {
  const OutputPlan::File& file = plan_.files[index];
  const fs::path path = path_of(file);
  std::error_code code;
  const bool whole = fs::exists(path, code);
  if (!whole && !fs::exists(AtomicFile::unfinished(path), code)) return {};
  NIBBLE_TRY(const auto mapped, MappedFile::open(whole ? path : AtomicFile::unfinished(path)));

  std::vector<std::span<const std::byte>> places;
  std::uint64_t at = file.room;
  for (std::size_t i = file.first; i < file.end; ++i) {
    const Journal::Record* record = planned_record(i);
    if (!record || at > mapped->bytes().size() || with_padding(*record) > mapped->bytes().size() - at) break;
    places.push_back(mapped->bytes().subspan(at, with_padding(*record)));
    at += places.back().size();
  }
  std::vector<char> good(places.size());
  conversion_.pool().run(std::int64_t(places.size()), [&](std::int64_t i, int) {
    good[std::size_t(i)] = is_as_recorded(file.first + std::size_t(i), places[std::size_t(i)], same_source);
  });
  const auto count = std::size_t(std::find(good.begin(), good.end(), 0) - good.begin());
  for (std::size_t i = file.first; i < file.first + count; ++i) {
    records_[i] = *planned_record(i);
    finished_[i] = true;
  }
  if (whole && count == file.end - file.first && at == mapped->bytes().size()) {
    NIBBLE_TRY(const std::string head, head_of(file));
    complete_[index] = std::equal(head.begin(), head.end(), reinterpret_cast<const char*>(mapped->bytes().data()));
  }
  if (whole && !complete_[index]) {
    say(fmt::format("{}: its bytes or what it was made from have changed; it is made again", path.string()));
    std::fill(finished_.begin() + std::ptrdiff_t(file.first), finished_.begin() + std::ptrdiff_t(file.end), false);
    fs::remove(path, code);
  } else if (count < places.size()) {
    say(fmt::format("{}: from \"{}\" on, its bytes or what they were made from have changed; they are made again",
                    path.string(), plan_.weights[file.first + count].module->name));
  }
  return {};
}

// What the journal tells of a weight, if it can be true.
const Journal::Record* ContinuedOutput::planned_record(std::size_t index) const {
  const OutputPlan::Weight& weight = plan_.weights[index];
  const auto found = journal_.records.find(weight.module->name);
  if (found == journal_.records.end() || found->second.parts.size() != weight.record.parts.size()) return nullptr;
  for (std::size_t i = 0; i < weight.record.parts.size(); ++i) {
    const Journal::Part &told = found->second.parts[i], &planned = weight.record.parts[i];
    const bool fits = told.bytes == planned.bytes || (weight.varying == i && told.bytes < planned.bytes);
    if (told.name != planned.name || !fits || told.note.source.empty() != planned.note.source.empty() ||
        told.note.error.has_value() != planned.note.error.has_value())
      return nullptr;
  }
  return &found->second;
}

bool ContinuedOutput::is_as_recorded(std::size_t index, std::span<const std::byte> bytes, bool same_source) const {
  const Journal::Record& record = *planned_record(index);
  for (const Journal::Part& part : record.parts) {
    if (sha256(bytes.first(part.bytes)) != part.note.sha256) return false;
    if (!same_source && !part.note.source.empty() &&
        source_hash(conversion_.checkpoint(), plan_.weights[index].module->name) != part.note.source)
      return false;
    const auto padding = bytes.subspan(part.bytes, container_.padding(part.bytes));
    if (std::any_of(padding.begin(), padding.end(), [](std::byte b) { return b != std::byte(0); })) return false;
    bytes = bytes.subspan(part.bytes + padding.size());
  }
  return true;
}

std::uint64_t ContinuedOutput::still_to_write() const {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < plan_.files.size(); ++i) {
    if (complete_[i]) continue;
    sum += plan_.files[i].room;
    for (std::size_t w = plan_.files[i].first; w < plan_.files[i].end; ++w)
      if (!finished_[w]) sum += with_padding(plan_.weights[w].record);
  }
  return sum;
}

Result<void> ContinuedOutput::check_space() const {
  std::error_code code;
  const fs::space_info space = fs::space(work_->output(), code);
  const std::uint64_t needed = still_to_write() + container_.small_bytes();
  if (code || space.available >= needed) return {};
  return error(Errc::io_failure,
               "{}: needs {} and {} are free there, {} bytes are missing; free some space or name another disk",
               target_.string(), in_fitting_unit(needed), in_fitting_unit(space.available), needed - space.available);
}

Result<void> ContinuedOutput::fill(std::size_t index) {
  const OutputPlan::File& file = plan_.files[index];
  std::uint64_t at = file.room;
  std::size_t weight = file.first;
  for (; weight < file.end && finished_[weight]; ++weight) at += with_padding(records_[weight]);
  NIBBLE_TRY(file_, AtomicFile::resume(path_of(file), at));
  for (; weight < file.end; ++weight) {
    NIBBLE_CHECK(conversion_.may_go_on(target_));
    NIBBLE_TRY(const Made made, container_.make(weight));
    NIBBLE_CHECK(store(weight, made));
  }
  NIBBLE_TRY(const std::string head, head_of(file));
  NIBBLE_CHECK(file_->write_at(0, std::as_bytes(std::span(head))));
  NIBBLE_CHECK(file_->commit());
  file_.reset();
  complete_[index] = true;
  if (plan_.files.size() > 1)
    say(fmt::format("shard {} of {} is complete: {}", index + 1, plan_.files.size(), file.name));
  return {};
}

Result<std::string> ContinuedOutput::head_of(const OutputPlan::File& file) {
  std::vector<const Journal::Record*> records;
  for (std::size_t i = file.first; i < file.end; ++i) records.push_back(&records_[i]);
  NIBBLE_TRY(std::string head, container_.head(file, records));
  NIBBLE_ASSERT(head.size() == file.room, "the head of a file takes the room that was left for it");
  return head;
}

Result<void> ContinuedOutput::store(std::size_t weight, const Made& made) {
  const OutputPlan::Weight& planned = plan_.weights[weight];
  const auto& parts = made.parts;
  NIBBLE_ASSERT(parts.size() == planned.record.parts.size(), "a weight has the parts that were planned");
  Journal::Record record = planned.record;
  record.error = made.error;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    NIBBLE_ASSERT(
        parts[i].size() == record.parts[i].bytes || (planned.varying == i && parts[i].size() < record.parts[i].bytes),
        "a part has the bytes that were planned");
    NIBBLE_CHECK(file_->write(parts[i]));
    NIBBLE_CHECK(file_->write(std::string(container_.padding(parts[i].size()), '\0')));
  }
  const std::vector<Receipt::Tensor> notes = conversion_.notes(*planned.module, made.error, parts, made.own);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    record.parts[i].bytes = parts[i].size();
    record.parts[i].note = notes[i];
  }
  NIBBLE_CHECK(journal_file_->write(Journal::line(planned.module->name, record)));
  unsynced_ += with_padding(record);
  if (unsynced_ > bytes_between_syncs) {
    NIBBLE_CHECK(file_->sync());
    NIBBLE_CHECK(journal_file_->sync());
    unsynced_ = 0;
  }
  records_[weight] = std::move(record);
  finished_[weight] = true;
  conversion_.module_done(*planned.module);
  return {};
}

Result<void> ContinuedOutput::put_in_place(const fs::path& made) {
  if (auto done = work_->put_in_place(made); !done) return leave(done.error());
  work_.reset();
  return {};
}

std::string ContinuedOutput::progress() const {
  const auto count = [](const std::vector<bool>& done) { return std::count(done.begin(), done.end(), true); };
  if (plan_.files.size() == 1)
    return fmt::format("{} of {} weights are finished", count(finished_), plan_.weights.size());
  std::ptrdiff_t others = count(finished_);
  for (std::size_t i = 0; i < plan_.files.size(); ++i)
    if (complete_[i]) others -= std::ptrdiff_t(plan_.files[i].end - plan_.files[i].first);
  return fmt::format("{} of {} shards are complete{}", count(complete_), plan_.files.size(),
                     others > 0 ? fmt::format(", and {} weights of the next", others) : "");
}

Error ContinuedOutput::leave(const Error& why) {
  const bool later = why.code == Errc::cancelled || why.code == Errc::io_failure || why.code == Errc::out_of_memory;
  if (!later || std::find(finished_.begin(), finished_.end(), true) == finished_.end()) {
    work_->remove();
    work_.reset();
    return why.code == Errc::cancelled ? Error{why.code, why.message + ", nothing was written"} : why;
  }
  return {why.code,
          fmt::format("{}; {} and kept in {}, {} bytes are still to be written: the same command continues there",
                      why.message, progress(), work_->path().string(), still_to_write())};
}

}  // namespace nibble
