// Runs a fuzz target without libFuzzer: the corpus, then mutations of it, the same ones every time.
//   fuzz_TARGET FOLDER MUTATIONS      or, to see one input again: fuzz_TARGET FILE
// Whatever ends it, the input is kept beside it, in crash-TARGET. An input may take 10 s of the processor.
#include <fcntl.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Input = std::vector<std::uint8_t>;
constexpr std::size_t longest = 1 << 16;

Input current;
std::string crash_file;

/// Only what a signal handler may do.
void keep_input(int signal) {
  const char text[] = "fuzz driver: crashed, or took longer than 10 s; the input is kept in ";
  const int file = open(crash_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  const bool kept = file >= 0 && write(file, current.data(), current.size()) == static_cast<ssize_t>(current.size());
  if (kept && write(STDERR_FILENO, text, sizeof text - 1) > 0 && write(STDERR_FILENO, crash_file.data(), crash_file.size()) > 0) (void)!write(STDERR_FILENO, "\n", 1);
  std::signal(signal, SIG_DFL);
  raise(signal);
}

Input bytes_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return Input(std::istreambuf_iterator<char>(in), {});
}

void run(Input input) {
  current = std::move(input);
  const itimerval most{{0, 0}, {10, 0}};
  setitimer(ITIMER_PROF, &most, nullptr);
  LLVMFuzzerTestOneInput(current.data(), current.size());
}

/// A copy with one to four changes of the kinds that libFuzzer makes.
Input mutated(const std::vector<Input>& corpus, std::mt19937_64& draws) {
  const auto below = [&](std::size_t n) { return n == 0 ? 0 : static_cast<std::size_t>(draws() % n); };
  static constexpr std::uint8_t interesting[] = {0, 1, 9, '\n', ' ', '#', ',', '=', '[', ']', '.', '-', '0', '9', 0x7f, 0x80, 0xff};
  Input input = corpus[below(corpus.size())];
  const auto place = [&] { return input.begin() + static_cast<std::ptrdiff_t>(below(input.size() + 1)); };
  for (std::size_t changes = 1 + below(4); changes > 0; --changes) {
    const Input& other = corpus[below(corpus.size())];
    const std::size_t from = below(other.size()), length = std::min(other.size() - from, std::size_t{1} << below(8));
    switch (below(7)) {
      case 0: if (!input.empty()) input[below(input.size())] ^= static_cast<std::uint8_t>(1U << below(8)); break;
      case 1: if (!input.empty()) input[below(input.size())] = interesting[below(std::size(interesting))]; break;
      case 2: if (!input.empty()) input[below(input.size())] = static_cast<std::uint8_t>(draws()); break;
      case 3: input.insert(place(), interesting[below(std::size(interesting))]); break;
      case 4: if (below(4) == 0) input.resize(below(input.size() + 1)); break;
      case 5: {
        const auto begin = place();
        input.erase(begin, begin + static_cast<std::ptrdiff_t>(below(std::min<std::size_t>(64, static_cast<std::size_t>(input.end() - begin) + 1))));
        break;
      }
      default: input.insert(place(), other.begin() + static_cast<std::ptrdiff_t>(from), other.begin() + static_cast<std::ptrdiff_t>(from + length));
    }
  }
  input.resize(std::min(input.size(), longest));
  return input;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || (std::filesystem::is_directory(argv[1]) && argc != 3)) {
    std::fprintf(stderr, "usage: %s FOLDER MUTATIONS | FILE\n", argv[0]);
    return 2;
  }
  crash_file = "crash-" + std::filesystem::path(argv[0]).filename().string();
  for (const int signal : {SIGABRT, SIGPROF, SIGFPE, SIGILL, SIGBUS, SIGSEGV}) std::signal(signal, keep_input);
  if (!std::filesystem::is_directory(argv[1])) {
    run(bytes_of(argv[1]));
    return 0;
  }
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<Input> corpus = {{}};
  for (const auto& file : files) corpus.push_back(bytes_of(file));
  if (corpus.size() < 3) {
    std::fprintf(stderr, "%s: holds no corpus\n", argv[1]);
    return 2;
  }
  for (const Input& seed : corpus) run(seed);
  const long mutations = std::atol(argv[2]);
  std::mt19937_64 draws(1);
  for (long i = 0; i < mutations; ++i) run(mutated(corpus, draws));
  std::printf("%zu seeds and %ld mutations of them: each was read, or refused with a message\n", corpus.size(), mutations);
  return 0;
}
