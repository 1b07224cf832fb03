// Lines from a person: edited with the arrow keys, with a history and pastes of any length on a terminal; as they come
// from a pipe.
#pragma once

#include <memory>
#include <optional>
#include <string>

namespace nibble::cli {

class LineEditor {
 public:
  LineEditor();
  ~LineEditor();
  // Whether lines are edited: standard input and standard error are a terminal that can.
  bool edits() const { return editor_ != nullptr; }
  // Without its end. Nothing: the input has ended, or a signal was noted while nothing was typed; Ctrl-C with something
  // typed throws that away and gives an empty line.
  std::optional<std::string> line(const std::string& prompt);

 private:
  struct Editor;
  std::unique_ptr<Editor> editor_;
};

}  // namespace nibble::cli
