using BenchmarkDotNet.Running;
using ModelZoo.Benchmarks.Peers;

// `dotnet run -c Release -- compare [graph..]` times each network beside its peer, run by run; `sessions` and `decode` time what their classes say; anything else goes to BenchmarkDotNet.
if (args is ["compare", .. var names]) Comparison.Run(names, Console.Out);
else if (args is ["sessions"]) SessionCreation.Run(Console.Out);
else if (args is ["decode"]) Decoding.Run(Console.Out);
else BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
