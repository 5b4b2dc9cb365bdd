#!/usr/bin/env dotnet
#:project ../Toolkit/Toolkit.csproj
#:property PublishAot=false

// A file that is a program: dotnet run notebooks/app.cs -- "My fellow citizens,"
using Toolkit;
using Toolkit.Data;
using Toolkit.Display;
using Toolkit.Models;
using Toolkit.Text;
using Toolkit.Training;

var prompt = args.Length > 0 ? args[0] : "My fellow citizens,";
var corpus = Corpus.Open("sotu");
var tokenizer = Tokenizer.Train(corpus.Train.Take(20), 512);
using var model = LanguageModel.Create(DecoderConfig.Llama(layers: 2, width: 64, heads: 4, keyValueHeads: 2, vocabularySize: 512), tokenizer);
model.Train(corpus, new TrainingOptions { Steps = 20, BatchSize = 4, SequenceLength = 64 }).ShowLive();
Console.Write(prompt);
foreach (var token in model.Generate(prompt, tokens: 40))
{
    Console.Write(token.Text);
}

Console.WriteLine();
