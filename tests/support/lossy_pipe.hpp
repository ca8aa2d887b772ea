// SPDX-License-Identifier: Apache-2.0
// A unix socket that leads to another one, until it is told to lose an answer: then what was asked is done, and
// nobody says so.
#pragma once

#include <atomic>
#include <string>
#include <thread>

namespace berth::testing {

class LossyPipe {
public:
    LossyPipe(const std::string& at, const std::string& target);
    ~LossyPipe();
    LossyPipe(const LossyPipe&) = delete;
    LossyPipe& operator=(const LossyPipe&) = delete;

    /// The next request that holds this word is passed on; when its answer is there, the connection ends instead.
    void lose_answer_to(const std::string& word);
    /// How many answers were lost.
    int lost() const { return lost_; }

private:
    void serve();
    void carry(int client);

    std::string target_;
    int socket_ = -1;
    std::string word_;                    // set before armed_
    std::atomic<bool> armed_{false};
    std::atomic<bool> ends_{false};
    std::atomic<int> lost_{0};
    std::thread thread_;
};

}  // namespace berth::testing
