using BenchmarkDotNet.Running;
using ModelZoo.Benchmarks.Hosting;
using ModelZoo.Benchmarks.Peers;
using ModelZoo.Benchmarks.Serving;
using ModelZoo.Benchmarks.Tokenizers;

// `dotnet run -c Release -- compare [graph..]` times each network beside its peer, run by run; `sessions`, `decode`, `tokenizers`, `unigram`, `train SIZE FILE`, `host artifacts/plugins artifacts/bin/ModelZoo.Host/release/modelzoo.dll` and
// `serve MODEL CHECKPOINT [requests]`, `steps gpt2 [requests at once..]` and `steps FAMILY MODEL CHECKPOINT [options]` time what their classes say; `exact` compares ids; anything else goes to BenchmarkDotNet.
if (args is ["compare", .. var names]) Comparison.Run(names, Console.Out);
else if (args is ["peak", var network, var side]) Comparison.RunOnce(network, side, Console.Out);
else if (args is ["sessions"]) SessionCreation.Run(Console.Out);
else if (args is ["host", var plugins, var host]) await HostFigures.RunAsync(plugins, host, Console.Out);
else if (args is ["decode"]) await Decoding.RunAsync(Console.Out);
else if (args is ["steps", "gpt2", .. var crowds]) await DecodeBatching.RunAsync(crowds is [] ? [1, 2, 4, 8, 16] : [.. crowds.Select(int.Parse)], Console.Out);
else if (args is ["serve", var model, var checkpoint, .. var count]) await ServerLoad.RunAsync(model, checkpoint, count is [var requests] ? int.Parse(requests, System.Globalization.CultureInfo.InvariantCulture) : 100_000, Console.Out);
else if (args is ["bare", var kind, var bytes]) await BareServer.RunAsync(kind, int.Parse(bytes, System.Globalization.CultureInfo.InvariantCulture), Console.Out);
else if (args is ["steps", var family, var loop, var weights, .. var more]) await StepBatching.RunAsync(family, loop, weights, more is [var options] ? options : "", Console.Out);
else if (args is ["tokenizers", "--npm", var npm, "--quicktok", var quicktok, .. var texts]) TokenizerSpeed.Run(npm, quicktok, texts, Console.Out);
else if (args is ["tokenizers", "--npm", var packages, .. var corpora]) TokenizerSpeed.Run(packages, null, corpora, Console.Out);
else if (args is ["unigram", "--npm", var reference, .. var items]) PipelineSpeed.Run(reference, [.. items.Where(PipelineSpeed.IsTokenizer)], [.. items.Where(item => !PipelineSpeed.IsTokenizer(item))], Console.Out);
else if (args is ["train", var size, var corpus]) TrainerSpeed.Run(int.Parse(size, System.Globalization.CultureInfo.InvariantCulture), corpus, Console.Out);
else if (args is ["exact", "--npm", var encoders, .. var rest])
{
    var tokenizers = rest.Zip(rest.Skip(1)).Where(pair => pair.First == "--tokenizer").Select(pair => pair.Second).ToList();
    return ExactComparison.Run(encoders, tokenizers, [.. rest.Where((text, i) => text != "--tokenizer" && (i == 0 || rest[i - 1] != "--tokenizer"))], Console.Out) == 0 ? 0 : 1;
}
else BenchmarkSwitcher.FromAssembly(typeof(HostFigures).Assembly).Run(args);

return 0;
