using System.Collections.Generic;
using System.Threading;
using ModelZoo.Contracts;

[assembly: ModelPlugin(typeof(Hangs.Plugin))]

namespace Hangs;

public sealed class Plugin : IModelPlugin
{
    public Plugin() => Thread.Sleep(Timeout.Infinite);
    public IReadOnlyList<ModelArchitecture> Architectures => [];
}
